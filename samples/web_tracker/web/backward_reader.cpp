#include "web/backward_reader.hpp"

#include <algorithm>

#include <lungo/framework/partition_reader.hpp>

namespace tracker {

using lungo::Envelope;
using lungo::Errc;
using lungo::Offset;
using lungo::Result;

BackwardReader::BackwardReader(lungo::EventLog& log, const lungo::TopicInfo& topic, lungo::PartitionId partition, Offset start,
                               Offset before)
    : log_(log), topic_(topic), partition_(partition), start_(start), begin_(std::max(start, before)) {}

Result<const EventLine*> BackwardReader::newest() {
  while (window_.empty() && begin_ > start_) {
    const Offset end = begin_;
    begin_ = std::max(start_, end.plus(-kWindow));
    lungo::PartitionReader reader{log_, topic_, {topic_.id, partition_, begin_, lungo::kNoEpoch}, 256u << 10};
    for (;;) {
      Result<const Envelope*> next = reader.next();
      if (!next && next.error() != Errc::undecodable) return next.error();
      if (next && *next == nullptr) break;
      const Offset offset = reader.position().offset.plus(-1);
      if (offset >= end) break;
      EventLine& line = window_.emplace_back();
      line.at = {topic_.spec.name, partition_};
      line.offset = offset;
      if (!next) continue;
      line.time = (*next)->time;
      line.type = (*next)->type;
      line.stream = (*next)->stream;
      line.id = (*next)->id;
    }
  }
  return window_.empty() ? nullptr : &window_.back();
}

Offset BackwardReader::position() const { return window_.empty() ? begin_ : window_.back().offset.next(); }

}  // namespace tracker
