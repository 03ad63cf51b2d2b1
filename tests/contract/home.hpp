// The homes that the contract suite runs over: how a log is opened in each, and what a home says that it does not promise.
//
// A case states one promise of a port (event_log.hpp, membership.hpp) or of the framework over it, in the port's words, and
// knows the port only. A home that lacks a promise declares a refusal; then the case wants exactly that, so that
// docs/reference/homes.md, which is printed from these declarations and the names of the cases, says nothing that was not seen.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo::contract {

/// Somewhere a log can live.
class Home {
 public:
  virtual ~Home() = default;
  /// Makes the home's log, once.
  virtual std::shared_ptr<EventLog> open() = 0;
  /// The process ends and starts again: what was committed is there. Nobody else holds the log.
  virtual void restart(std::shared_ptr<EventLog>& log) = 0;
};

/// How a home answers where it does not keep a promise.
struct Refusal {
  std::optional<Errc> code;  // nothing where no call fails
  std::string_view words;    // part of the error's text, or what is so instead
};

struct HomeKind {
  std::string name;    // in the names of tests
  std::string column;  // on the page, where its first kind answers: others, simulated ones, may lack what their machine lacks
  std::string about;   // on the page
  std::function<std::unique_ptr<Home>()> make;           // nothing where another program runs the cases over it
  std::map<std::string, Refusal, std::less<>> refusals;  // by "Suite.Case"
};

/// All, in the order of their columns.
const std::vector<HomeKind>& homes();
const HomeKind& home_named(std::string_view name);
/// Those that this program makes.
std::vector<std::string> home_names();

/// Of the program that the suite is in: how it makes the home of this name; nothing where it does not.
std::function<std::unique_ptr<Home>()> maker_of(std::string_view name);

/// docs/reference/homes.md, from the cases that are registered. To be called behind InitGoogleTest().
std::string page();

}  // namespace lungo::contract
