#include "web/watchers.hpp"

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "valid_utf8.hpp"
#include "web/replies.hpp"

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;
using Message = std::shared_ptr<const std::string>;

Message error_message(std::string_view error) {
  boost::json::object object;
  object["type"] = "error";
  object["error"] = valid_utf8(error);
  return std::make_shared<const std::string>(boost::json::serialize(object));
}

/// What a dashboard asks for: nothing stands for the projections.
using Wanted = std::optional<StatsFilter>;

Result<Wanted> wanted_of(std::string_view text) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(boost::json::string_view{text.data(), text.size()}, error);
  if (error || !value.is_object()) return Error{Errc::invalid_argument, "a message must be a JSON object"};
  const boost::json::object& object = value.get_object();
  const auto text_of = [&object](std::string_view name) -> std::optional<std::string> {
    const boost::json::value* field = object.if_contains(name);
    if (field == nullptr || !field->is_string()) return std::nullopt;
    return std::string(field->get_string().c_str(), field->get_string().size());
  };
  const std::optional<std::string> type = text_of("type");
  if (type == "watch-projections") return Wanted{};
  if (type != "watch") return Error{Errc::invalid_argument, "`type` must be \"watch\" or \"watch-projections\""};
  const std::array words{text_of("period"), text_of("from"), text_of("to"), text_of("page")};
  Result<StatsFilter> filter = StatsFilter::parse({words[0], words[1], words[2], words[3]});
  if (!filter) return filter.error();
  return Wanted{std::move(*filter)};
}

}  // namespace

/// Shared with what is posted, which may come after the watchers' end. Everything is the web thread's, apart from `desk`.
struct Watchers::Parts : std::enable_shared_from_this<Watchers::Parts> {
  Parts(StatsDesk& used, Post poster) : desk(used), post(std::move(poster)) {}

  struct Member {
    http::WebSocket& socket;
    std::optional<std::uint64_t> view;
    bool is_asking = false;        // the desk has not answered yet
    std::optional<Wanted> wanted;  // what to ask for then; the answer is not for it any more
  };

  void ask(std::uint64_t number, Wanted wanted);
  void answered(std::uint64_t number, Result<StatsDesk::Watched> watched);
  void deliver(std::uint64_t view, const Message& message);
  void leave(std::uint64_t number);
  void forget(std::uint64_t view);

  StatsDesk& desk;
  const Post post;
  std::unordered_map<std::uint64_t, Member> members;
  std::unordered_map<std::uint64_t, std::unordered_set<std::uint64_t>> by_view;  // members' numbers
  std::uint64_t next_number = 1;
};

/// One dashboard's socket; tells the watchers when it is gone.
class Watchers::Dashboard final : public http::SocketListener {
 public:
  Dashboard(std::shared_ptr<Parts> parts, std::uint64_t number) : parts_(std::move(parts)), number_(number) {}
  ~Dashboard() override { parts_->leave(number_); }

  void on_message(std::string_view text) override {
    Result<Wanted> wanted = wanted_of(text);
    if (!wanted) return parts_->members.at(number_).socket.send(error_message(wanted.error().text()));
    parts_->ask(number_, std::move(*wanted));
  }

 private:
  const std::shared_ptr<Parts> parts_;
  const std::uint64_t number_;
};

Watchers::Watchers(StatsDesk& desk, Post post) : parts_(std::make_shared<Parts>(desk, std::move(post))) {
  desk.set_sink([parts = parts_](std::uint64_t view, Message message) {
    parts->post([parts, view, message = std::move(message)] { parts->deliver(view, message); });
  });
}

Watchers::~Watchers() { parts_->desk.set_sink(nullptr); }

std::unique_ptr<http::SocketListener> Watchers::join(http::WebSocket& socket) {
  const std::uint64_t number = parts_->next_number++;
  parts_->members.emplace(number, Parts::Member{socket});
  return std::make_unique<Dashboard>(parts_, number);
}

std::size_t Watchers::size() const { return parts_->members.size(); }

void Watchers::Parts::ask(std::uint64_t number, Wanted wanted) {
  Member& member = members.at(number);
  if (member.is_asking) {
    member.wanted = std::move(wanted);
    return;
  }
  member.is_asking = desk.submit([self = shared_from_this(), number, wanted = std::move(wanted)] {
    Result<StatsDesk::Watched> watched = Error{Errc::handler_failed, "this view could not be made; ask again"};
    try {
      watched = wanted ? self->desk.watch(*wanted) : self->desk.watch_projections();
    } catch (...) {  // without an answer it could never ask again
    }
    self->post([self, number, watched] { self->answered(number, watched); });
  });
  if (!member.is_asking) member.socket.send(error_message("too many readers wait; ask again"));
}

void Watchers::Parts::answered(std::uint64_t number, Result<StatsDesk::Watched> watched) {
  const auto found = members.find(number);
  if (found != members.end()) found->second.is_asking = false;
  if (found == members.end() || found->second.wanted) {
    if (watched) forget(watched->view);
    if (found != members.end()) ask(number, *std::exchange(found->second.wanted, std::nullopt));
    return;
  }
  if (!watched) return found->second.socket.send(error_message(told_of(watched.error())));
  Member& member = found->second;
  if (member.view) {
    by_view[*member.view].erase(number);
    forget(*member.view);
  }
  member.view = watched->view;
  by_view[watched->view].insert(number);
  member.socket.send(std::make_shared<const std::string>(std::move(watched->text)));
}

void Watchers::Parts::deliver(std::uint64_t view, const Message& message) {
  const auto watching = by_view.find(view);
  if (watching == by_view.end()) return;
  for (const std::uint64_t number : watching->second) members.at(number).socket.send(message);
}

void Watchers::Parts::leave(std::uint64_t number) {
  const Member member = members.at(number);
  members.erase(number);
  if (!member.view) return;
  by_view[*member.view].erase(number);
  forget(*member.view);
}

/// One who watched the view does no more. The desk counts; that it knows of it is worth a queue's place of its own.
void Watchers::Parts::forget(std::uint64_t view) {
  if (by_view[view].empty()) by_view.erase(view);
  desk.unwatch(view);
}

}  // namespace tracker
