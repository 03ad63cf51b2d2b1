#include "import/follow.hpp"

namespace tracker {

using lungo::Errc;
using lungo::Result;

namespace {
// A server goes on writing into the renamed file until it was told; so long it must have been silent before it is left.
constexpr lungo::Duration kGraceAfterRotation = std::chrono::seconds{2};
}  // namespace

Result<std::size_t> LogFollower::poll(std::size_t lines_max) {
  if (failure_ && now() < next_try_) return *failure_;
  Result<std::size_t> taken = take(lines_max);
  failure_ = taken ? std::nullopt : std::optional{taken.error()};
  if (!taken) give_up_for_now();
  return taken;
}

// What went well for less than a pause does not count: a full disk takes some lines before it refuses the next.
void LogFollower::give_up_for_now() {
  if (import_ && now() - opened_ > RetryPause::kMax) pause_.reset();
  import_.reset();
  next_try_ = now() + pause_.next();
}

Result<std::size_t> LogFollower::take(std::size_t lines_max) {
  const lungo::Timestamp asked = site_.store.log().ports().clock.now();
  if (!import_) {
    const std::optional<std::string> before = site_.book.last_file_of(path_);
    Result<std::unique_ptr<LogImport>> opened = LogImport::open(site_, path_, ImportMode::follow);
    if (!opened && opened.error().code() == Errc::not_found) {
      if (!missing_ && !has_begun_) notes_.push_back("waiting for " + path_ + ", which does not exist yet");
      missing_ = opened.error();
      return nothing_before(asked);
    }
    if (!opened) return opened.error();
    missing_.reset();
    has_begun_ = true;
    import_ = std::move(*opened);
    opened_ = now();
    replaced_since_.reset();
    if (!import_) return nothing_before(asked);
    if (before && *before != import_->file() && !has_rotated_) {
      notes_.push_back(path_ +
                       " is another file than the one that was followed last: lines from before its rotation may be "
                       "missing, unless it was read to its end; --import the rotated file to add them");
    }
    has_rotated_ = false;
  }
  Result<LogImport::Step> step = import_->step(lines_max);
  if (!step) return step.error();
  if (step->lines > 0) {
    replaced_since_.reset();
    if (!step->at_end || !step->committed) return step->lines;
    Result<bool> other = is_another_file();
    if (!other) return other.error();
    if (!*other) complete_until_ = asked;
    return step->lines;
  }

  ByteSource& source = import_->source();
  const bool truncated = source.stored_bytes_total() < source.stored_bytes_read();
  Result<bool> replaced = was_replaced();
  if (!replaced) return replaced.error();
  if (truncated || *replaced) {
    Result<void> finished = import_->finish(*replaced);
    if (!finished) return finished.error();
    left_behind_ = import_->report().waiting;
    import_.reset();
    has_rotated_ = true;
    return std::size_t{0};
  }
  if (step->committed && !replaced_since_) complete_until_ = asked;
  return std::size_t{0};
}

std::size_t LogFollower::nothing_before(lungo::Timestamp time) {
  complete_until_ = time;
  return 0;
}

// True when the path names another file than the one that is open.
Result<bool> LogFollower::is_another_file() {
  Result<FileIdentity> identity = identity_of(path_);
  if (!identity && identity.error().code() == Errc::not_found) return false;  // renamed; its successor is still to come
  if (!identity) return identity.error();
  return *identity != import_->source().identity();
}

// True when the path names another file and the one that we have has been silent for the time of grace.
Result<bool> LogFollower::was_replaced() {
  Result<bool> other = is_another_file();
  if (!other) return other;
  if (!*other) {
    replaced_since_.reset();
    return false;
  }
  if (!replaced_since_) replaced_since_ = now();
  return now() - *replaced_since_ >= kGraceAfterRotation;
}

Result<void> LogFollower::finish() {
  if (!import_) return {};
  return import_->finish(false);
}

}  // namespace tracker
