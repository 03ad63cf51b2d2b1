// One exporter's time at a target: what it writes becomes final span by span, or not at all. docs/decisions/0008, sections C
// and D.
//
//   begin():   hold -> lease of the next term -> complete the last term's intents -> folder of ours -> remove what others left
//   commit():  intent -> is there a higher lease? -> folders -> renames -> intent away
//
// Promise: wherever it stops, and whoever else begins in the middle: the files of a span are all at their final names, or will
// be when the next one has begun, or none is. No final name is replaced. Why: a holder writes its intent before it looks for a
// higher lease, and the next one makes its lease before it looks for intents. And who has taken over has a folder, from then
// on: intents that come in lower ones are of somebody who has lost the target, and do not count.
// After an error of commit() whether it is done is known when another session has begun; this one is of no use any more.
// Threads: create() and commit() from any, at the same time for different spans.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "export_names.hpp"
#include "export_target.hpp"

namespace lungo::exporting {

class ExportSession {
 public:
  /// A file that is being written, and what it is to be called.
  struct Draft {
    std::string temporary;  // its path until then
    std::string path;       // in the end
  };
  struct Begun {
    int completed = 0;  // spans whose exporter had stopped in the middle
    int removed = 0;    // terms of which something was left
  };

  /// `target` outlives it. `holder` is for people. Errors: locked, with the other one's holder; already_exists, where a file of
  /// somebody else is in the way of a span that has to be completed; no_space, io.
  static Result<std::unique_ptr<ExportSession>> begin(ExportTarget& target, const std::string& holder);
  ~ExportSession();

  [[nodiscard]] const Begun& begun() const { return begun_; }
  /// Where a new file's bytes go until they are committed.
  std::string new_temporary(std::string_view extension);
  Result<std::unique_ptr<TargetFile>> create(const std::string& temporary) { return target_.create(temporary); }
  /// The drafts are closed, and of no other span. Errors: locked, when another exporter has taken over; already_exists;
  /// no_space, io.
  Result<void> commit(std::string_view topic, const Span& span, const std::vector<Draft>& drafts);

 private:
  ExportSession(ExportTarget& target, std::unique_ptr<TargetHold> hold) : target_(target), hold_(std::move(hold)) {}

  Result<void> take_term(const std::string& holder);
  Result<void> check_term();
  Result<void> take_over();
  Result<std::vector<std::uint64_t>> terms_below(std::string_view folder, std::string_view prefix);
  Result<void> complete_all(const std::string& folder);
  Result<void> write_intent(const std::string& path, const std::vector<Draft>& drafts);
  Result<void> complete(const std::string& intent, const std::vector<Draft>& drafts);
  Result<void> give_final_name(const Draft& draft);

  ExportTarget& target_;
  const std::unique_ptr<TargetHold> hold_;
  std::uint64_t term_ = 0;
  std::string folder_;  // of this term's temporary files
  std::atomic<std::uint64_t> files_ = 0;
  Begun begun_;
};

}  // namespace lungo::exporting
