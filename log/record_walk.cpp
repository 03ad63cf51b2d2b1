#include "record_walk.hpp"

namespace lungo {

namespace {

constexpr std::size_t kBytesMax = 1u << 20;

}  // namespace

Result<const RecordView*> RecordWalk::peek() {
  while (record_ == nullptr) {
    if (cursor_) record_ = cursor_->next();
    if (record_ != nullptr) break;
    const Offset from = fetched_ ? fetched_->next().offset : next_;
    if (from >= end_) return nullptr;
    Result<Fetched> fetched = log_->read(partition_, from, kBytesMax);
    if (!fetched) return fetched.error();
    if (fetched->empty()) return nullptr;  // offsets without records up to the end
    fetched_.emplace(std::move(*fetched));
    cursor_.emplace(fetched_->records());
  }
  return record_->offset < end_ ? record_ : nullptr;
}

}  // namespace lungo
