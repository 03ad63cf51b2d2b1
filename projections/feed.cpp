#include "feed.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <lungo/framework/errors.hpp>

namespace lungo {
namespace {

constexpr std::size_t kChunkBytes = 512u << 10;

}  // namespace

Error undecodable_error(const Member& member) {
  const Error& first = *member.first_undecodable;
  const std::string count = member.undecodable == 1 ? "1 event" : std::to_string(member.undecodable) + " events";
  const std::string text = count + " can't be decoded, the first is " + std::string(first.text());
  return first.offset() ? Error{first.code(), text, *first.offset()} : Error{first.code(), text};
}

Feed::Feed(EventLog& log, ShapeRegistry& shapes, TopicInfo topic, const std::vector<Position>& from)
    : log_(&log), shapes_(&shapes), topic_(std::move(topic)) {
  readers_.reserve(from.size());
  for (const Position& position : from) readers_.emplace_back(log, topic_, position, kChunkBytes);
  index_handlers();
}

void Feed::add(std::unique_ptr<Member> member) {
  members_.push_back(std::move(member));
  index_handlers();
}

void Feed::join(Feed& other) {
  // Between two positions that each feed has read up to there can only be offsets without a record.
  for (std::size_t partition = 0; partition < readers_.size(); ++partition) {
    const Position theirs = other.readers_[partition].position();
    if (readers_[partition].position().offset < theirs.offset) readers_[partition].seek(theirs);
  }
  std::move(other.members_.begin(), other.members_.end(), std::back_inserter(members_));
  other.members_.clear();
  has_news_ = has_news_ || other.has_news_;
  if (other.news_since) news_since = std::min(news_since.value_or(Instant::max()), *other.news_since);
  index_handlers();
}

std::unique_ptr<Member> Feed::remove(const std::string& projection, Role role) {
  const auto found = std::find_if(members_.begin(), members_.end(), [&](const std::unique_ptr<Member>& member) {
    return member->projection == projection && member->role == role;
  });
  if (found == members_.end()) return nullptr;
  std::unique_ptr<Member> member = std::move(*found);
  members_.erase(found);
  index_handlers();
  return member;
}

Member* Feed::find(const std::string& projection, Role role) {
  for (const std::unique_ptr<Member>& member : members_)
    if (member->projection == projection && member->role == role) return member.get();
  return nullptr;
}

void Feed::index_handlers() {
  decoder_ = std::make_unique<EventDecoder>(*shapes_);
  handlers_.clear();
  for (const std::unique_ptr<Member>& member : members_) {
    member->worker->listen(*decoder_, [&](int type, detail::ApplyEvent apply) {
      handlers_.resize(std::max(handlers_.size(), static_cast<std::size_t>(type) + 1));
      handlers_[static_cast<std::size_t>(type)].push_back({apply, member.get()});
    });
  }
}

Result<bool> Feed::advance(std::size_t events_max) {
  at_end = false;
  std::size_t left = events_max;
  // Round robin, each call with the partition behind the one where the last call stopped: none waits for another's end, and
  // history is read about as it happened, so that a row keyed by its time is whole before it is evicted.
  for (std::size_t turn = 0; turn < readers_.size(); ++turn) {
    PartitionReader& reader = readers_[next_reader_];
    next_reader_ = (next_reader_ + 1) % readers_.size();
    for (;; --left) {
      if (left == 0) return true;
      Result<bool> applied = apply_next(reader);
      if (!applied) return applied.error();
      if (!*applied) break;
    }
  }
  at_end = true;
  return false;
}

Result<void> Feed::advance_to(const std::vector<Position>& ends) {
  for (std::size_t partition = 0; partition < readers_.size(); ++partition) {
    while (readers_[partition].position().offset < ends[partition].offset) {
      Result<bool> applied = apply_next(readers_[partition]);
      if (!applied) return applied.error();
      // An end behind markers of transactions, or records that are gone, is reached without another record.
      if (!*applied && readers_[partition].position().offset < ends[partition].offset)
        return Error{Errc::corrupt, to_string(readers_[partition].partition()) + " ends below where it was read"};
    }
  }
  return {};
}

Result<bool> Feed::apply_next(PartitionReader& reader) {
  const Position before = reader.position();
  Result<const Envelope*> next = reader.next();
  if (!next && next.error() != Errc::undecodable) return next.error();
  if (!next) {
    // Which projections list the event can't be known: it counts for all.
    pass_over({}, reader.partition(), Offset{reader.position().offset.value() - 1}, next.error());
  } else if (*next == nullptr) {
    // Behind the last record there may be markers of transactions, and who waits for the committed end waits for these, too.
    has_news_ = has_news_ || reader.position().offset > before.offset;
    return false;
  } else {
    Result<void> applied = dispatch(**next);
    if (!applied) {
      reader.seek(before);
      return applied.error();
    }
  }
  has_news_ = true;
  return true;
}

Result<void> Feed::dispatch(const Envelope& envelope) {
  Result<Decoded> decoded = decoder_->decode(envelope);
  if (!decoded) {
    if (!is_about_event(decoded.error())) return decoded.error();
    pass_over(envelope.type, {std::string(envelope.topic), envelope.partition}, envelope.offset, decoded.error());
    return {};
  }
  if (decoded->type < 0) return {};
  bool failed = false;
  for (const Handler& handler : handlers_[static_cast<std::size_t>(decoded->type)]) {
    if (handler.member->is_spoilt()) continue;
    if (!handler.apply(*handler.member->worker, envelope, decoded->event)) failed = true;
  }
  if (failed) drop_failed();
  return {};
}

void Feed::pass_over(std::string_view type, const TopicPartition& partition, Offset offset, const Error& error) {
  for (const std::unique_ptr<Member>& member : members_) {
    if (!type.empty() && !member->worker->answers_to(type)) continue;
    ++member->undecodable;
    if (!member->first_undecodable) {
      member->first_undecodable =
          Error{error.code(),
                to_string(partition) + " offset " + std::to_string(offset.value()) + ": " + std::string(error.text()), offset};
    }
    if (!member->strict) {
      member->parked.push_back({member->projection, partition, offset, std::string(type), to_string(error)});
    }
  }
}

void Feed::drop_failed() {
  const auto failed = std::stable_partition(members_.begin(), members_.end(),
                                            [](const std::unique_ptr<Member>& member) { return !member->worker->error(); });
  std::move(failed, members_.end(), std::back_inserter(failed_));
  members_.erase(failed, members_.end());
  // The decoder stays as it is, since the event in hand lies in it.
  for (std::vector<Handler>& list : handlers_)
    std::erase_if(list, [](const Handler& handler) { return handler.member->worker->error().has_value(); });
}

const Member* Feed::any_shadow() const {
  for (const std::unique_ptr<Member>& member : members_)
    if (member->role == Role::shadow) return member.get();
  return nullptr;
}

std::vector<std::unique_ptr<Member>> Feed::take_failed() { return std::exchange(failed_, {}); }

Result<void> Feed::write(Catalogue& catalogue) {
  const Result<std::vector<Position>> now = positions_to_store();
  if (!now) return now.error();
  for (const std::unique_ptr<Member>& member : members_) {
    if (member->is_spoilt()) continue;
    Result<void> written = member->worker->write();
    if (!written) return written.error();
    for (const ParkedRow& event : member->parked) {
      written = catalogue.park(event);
      if (!written) return written.error();
    }
    written = catalogue.put_positions(member->projection, member->role, *now);
    if (!written) return written.error();
  }
  return {};
}

void Feed::written() {
  for (const std::unique_ptr<Member>& member : members_) {
    if (member->is_spoilt()) continue;
    member->worker->written();
    member->parked.clear();
  }
  has_news_ = false;
  news_since.reset();
}

std::vector<Position> Feed::positions() const {
  std::vector<Position> positions;
  for (const PartitionReader& reader : readers_) positions.push_back(reader.position());
  return positions;
}

Result<std::vector<Position>> Feed::positions_to_store() const {
  std::vector<Position> kept;
  for (const Position& position : positions()) {
    const Result<Position> one = log_->to_store(topic_.spec.name, position);
    if (!one) return one.error();
    kept.push_back(*one);
  }
  return kept;
}

std::vector<Offset> Feed::committed_ends() const {
  std::vector<Offset> ends;
  for (const PartitionReader& reader : readers_) ends.push_back(std::max(reader.committed_end(), reader.position().offset));
  return ends;
}

std::size_t Feed::cached_bytes() const {
  std::size_t bytes = 0;
  for (const std::unique_ptr<Member>& member : members_) bytes += member->worker->bytes();
  return bytes;
}

}  // namespace lungo
