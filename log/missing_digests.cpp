#include "missing_digests.hpp"

#include <algorithm>

namespace lungo {

SegmentPass::SegmentPass(std::shared_ptr<Segment> segment, BatchScanner::Depth depth)
    : segment_(std::move(segment)), depth_(depth), scan_(segment_->scan_all(depth)), digest_(segment_->base()) {}

Result<bool> SegmentPass::step(std::uint64_t bytes) {
  for (const std::uint64_t limit = scan_.position() + bytes; scan_.position() < limit;) {
    const Result<std::optional<ScannedBatch>> next = scan_.next();
    if (!next) return next.error();
    if (!*next) return true;
    digest_.add((*next)->header, (*next)->head);
  }
  return scan_.position() >= segment_->size();
}

Result<SegmentPass*> MissingDigests::next(Storage& storage, const std::string& directory, const Segments& list,
                                          Offset synced_names, int looks) {
  if (pass_ != nullptr && std::ranges::find(list, pass_->segment()) == list.end()) pass_.reset();
  if (pass_ != nullptr) return pass_.get();
  all_seen_ = false;
  const auto first = std::ranges::lower_bound(list, seen_, {}, [](const auto& segment) { return segment->base(); });
  for (auto segment = first; segment != list.end(); ++segment) {
    const auto following = std::next(segment);
    if (following == list.end()) break;
    if ((*following)->base() > synced_names) return nullptr;
    if ((*segment)->damage() == nullptr) {
      if (looks-- == 0) return nullptr;
      const Result<bool> is_there = storage.exists(directory + "/" + segment_file_name((*segment)->base(), kDigestSuffix));
      if (!is_there) return is_there.error();
      if (!*is_there) {
        const bool was_checked = (*segment)->verified_up_to() >= (*segment)->size();
        pass_ =
            std::make_unique<SegmentPass>(*segment, was_checked ? BatchScanner::Depth::headers : BatchScanner::Depth::checked);
        return pass_.get();
      }
    }
    seen_ = (*segment)->base().next();
  }
  all_seen_ = true;
  return nullptr;
}

void MissingDigests::done() {
  seen_ = pass_->segment()->base().next();
  pass_.reset();
}

void MissingDigests::forget_from(Offset end) {
  pass_.reset();
  all_seen_ = false;
  // The segment that `end` lies in may begin anywhere below; to look at all of them again costs little.
  if (seen_ > Offset{0} && end < seen_) seen_ = Offset{0};
}

}  // namespace lungo
