// PartitionLog: a step of the scrub.

#include <algorithm>

#include "base/logger.hpp"
#include "partition_parts.hpp"
#include "segment_digest.hpp"

namespace lungo {

Result<Scrubbed> PartitionLog::scrub(std::uint64_t bytes) {
  Parts& parts = *parts_;
  Scrubbed scrubbed;
  // Nothing can be read, or the directory may be another's by now.
  if (parts.unreadable || parts.failure.get()) {
    parts.scrubbed.reset();
    scrubbed.is_done = true;
    return scrubbed;
  }
  const std::shared_ptr<const Segments> list = parts.segments.snapshot();
  if (parts.scrubbed && std::ranges::find(*list, parts.scrubbed->segment()) == list->end()) parts.scrubbed.reset();
  if (!parts.scrubbed) {
    const auto next =
        std::ranges::lower_bound(*list, parts.scrub_next, {}, [](const auto& segment) { return segment->base(); });
    if (next == list->end()) {
      parts.scrub_next = Offset{0};
      scrubbed.is_done = true;
      return scrubbed;
    }
    parts.scrub_next = (*next)->base().next();
    parts.scrubbed = std::make_unique<SegmentPass>(*next, BatchScanner::Depth::checked);
  }
  SegmentPass& pass = *parts.scrubbed;
  const std::uint64_t begin = pass.position();
  const Result<bool> ended = pass.step(bytes);
  scrubbed.bytes = pass.position() - begin;
  if (ended && !*ended) return scrubbed;
  if (!ended && !may_be_damage(ended.error())) {
    parts.scrubbed.reset();
    return ended.error();
  }
  if (!ended) {
    scrubbed.found_damage = parts.note_damage({pass.segment(), pass.at(), pass.at().next()});
    if (!scrubbed.found_damage && ended.error() == Errc::io) {
      parts.scrubbed.reset();
      return ended.error();
    }
    // From its beginning again, over what is known by now; what can't be told from an append that was taken back is let be.
    parts.scrubbed =
        scrubbed.found_damage ? std::make_unique<SegmentPass>(pass.segment(), BatchScanner::Depth::checked) : nullptr;
    return scrubbed;
  }
  // What was appended to meanwhile was not read to its end.
  const bool is_sealed = pass.segment() != list->back() && pass.position() == pass.segment()->size();
  if (is_sealed && pass.segment()->damage() == nullptr) {
    const Result<std::optional<SegmentDigest>> noted =
        read_digest(parts.ports.storage, parts.directory, pass.segment()->base());
    const std::string differs = noted && *noted ? difference(**noted, pass.digest()) : std::string{};
    const std::shared_ptr<const Segments> now = parts.segments.snapshot();
    scrubbed.digest_differs = !differs.empty() && std::ranges::find(*now, pass.segment()) != now->end();
    if (scrubbed.digest_differs) logger()->error("{} is not as its digest says: {}", pass.segment()->path(), differs);
  }
  parts.scrubbed.reset();
  return scrubbed;
}

}  // namespace lungo
