// Follows a growing log like `tail -F`: through rotation, truncation, and times when there is no file.
//
// Threads: one at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "import/log_import.hpp"
#include "retry_pause.hpp"

namespace tracker {

class LogFollower {
 public:
  LogFollower(ImportSite site, std::string path) : site_(site), path_(std::move(path)) {}

  /// Takes what is there, at most `lines_max` lines, and returns how many: 0 = nothing new, ask again a little later.
  /// After an error of the log or the disk the file is opened anew after a RetryPause and goes on where it stopped.
  /// Errors: as LogImport; during the pause the one before.
  lungo::Result<std::size_t> poll(std::size_t lines_max);
  /// All that was in the file before this time is committed, so that time may go on up to there; nothing when that is not
  /// known yet. Stands still while lines are behind, also those of a file that has taken the place of the one that is open.
  [[nodiscard]] std::optional<lungo::Timestamp> complete_until() const { return complete_until_; }
  /// Commits and marks everything that was taken.
  lungo::Result<void> finish();
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Of the file that is open now; nothing while there is none.
  [[nodiscard]] const LogImport* import() const { return import_.get(); }
  /// Why there is no file, as of the last look; nothing when there is one.
  [[nodiscard]] const std::optional<lungo::Error>& missing() const { return missing_; }
  /// False until a file was opened: what is refused until then is the wrong file, not trouble that may pass.
  [[nodiscard]] bool has_begun() const { return has_begun_; }
  /// What a user should know of the file, each told once.
  [[nodiscard]] std::vector<std::string> take_notes() { return std::exchange(notes_, {}); }
  /// The begun line at the end of a file that was rotated away, told once.
  [[nodiscard]] std::optional<WaitingLine> take_left_behind() { return std::exchange(left_behind_, std::nullopt); }

 private:
  lungo::Result<std::size_t> take(std::size_t lines_max);
  lungo::Result<bool> was_replaced();
  lungo::Result<bool> is_another_file();
  void give_up_for_now();
  std::size_t nothing_before(lungo::Timestamp time);
  [[nodiscard]] lungo::Instant now() const { return site_.store.log().ports().clock.monotonic(); }

  ImportSite site_;
  std::string path_;
  std::unique_ptr<LogImport> import_;
  lungo::Instant opened_{};  // when import_ began
  std::optional<lungo::Error> failure_;
  RetryPause pause_;
  lungo::Instant next_try_{};
  std::optional<lungo::Instant> replaced_since_;
  std::optional<lungo::Timestamp> complete_until_;
  std::optional<WaitingLine> left_behind_;
  std::vector<std::string> notes_;
  std::optional<lungo::Error> missing_;
  bool has_begun_ = false;
  bool has_rotated_ = false;  // the file before was read to its end
};

}  // namespace tracker
