#include "partition_feed.hpp"

namespace lungo {

Result<const RecordView*> PartitionFeed::peek() {
  while (record_ == nullptr) {
    if (cursor_) {
      record_ = cursor_->next();
      if (record_ != nullptr) break;
      if (cursor_->error()) return cursor_->error()->with_context(to_string(partition_));
      cursor_.reset();
    }
    if (next_ >= end_) return static_cast<const RecordView*>(nullptr);
    Result<bool> fetched = fetch();
    if (!fetched) return fetched.error();
    if (!*fetched) return static_cast<const RecordView*>(nullptr);
  }
  // A batch may go on behind the end that was set.
  return record_->offset < end_ ? record_ : nullptr;
}

Result<bool> PartitionFeed::fetch() {
  const auto note_missing = [this](Offset end, const char* why) {
    settings_.note(to_string(partition_) + ": offsets " + std::to_string(next_.value()) + " to " +
                   std::to_string(end.value() - 1) + " " + why);
    next_ = end;
  };
  Result<Fetched> fetched = read_with(*log_, partition_, next_, settings_.bytes_max, settings_.read);
  if (!fetched && fetched.error() == Errc::offset_out_of_range) {
    const Result<Ends> ends = log_->ends(partition_);
    if (!ends) return ends.error();
    if (ends->start <= next_) return fetched.error();
    note_missing(ends->start, "were deleted meanwhile");
    return true;
  }
  if (!fetched) return fetched.error();
  if (fetched->first() > next_) note_missing(fetched->first(), "are damaged");
  if (fetched->empty()) return false;
  next_ = fetched->next().offset;
  buffer_ = fetched->buffer();
  cursor_ = fetched->records();
  return true;
}

}  // namespace lungo
