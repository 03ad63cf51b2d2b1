// One reading of a topic that feeds several projections: each record is read and decoded once.
//
// All members of a feed are at the same positions, always. Projections at different positions are in different feeds, which the
// engine joins once they meet.
//
// Threads: the engine's only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/partition_reader.hpp>
#include <lungo/projections/worker.hpp>

#include "catalogue.hpp"

namespace lungo {

/// One table that is being fed.
struct Member {
  std::string projection;
  Role role = Role::live;
  std::unique_ptr<detail::Worker> worker;
  /// A rebuild: an event that can't be decoded is counted, nothing is applied from it on, and in the end the rebuild fails.
  bool strict = false;
  std::int64_t undecodable = 0;
  std::optional<Error> first_undecodable;

  /// It will fail in the end, and only counts until then: applies and writes nothing more, so that its positions stay below
  /// what it could not decode and whoever goes on with it meets that again.
  [[nodiscard]] bool is_spoilt() const { return strict && undecodable > 0; }
  std::vector<ParkedRow> parked;  // passed over since the last commit
};

/// Why a strict member can't be finished: how many events can't be decoded, and the first of them.
Error undecodable_error(const Member& member);

class Feed {
 public:
  /// Begins at `from`, one position per partition. Log and shapes must outlive the feed.
  Feed(EventLog& log, ShapeRegistry& shapes, TopicInfo topic, const std::vector<Position>& from);

  void add(std::unique_ptr<Member> member);
  /// Takes over all members of another feed, which is at the same positions.
  void join(Feed& other);
  /// Takes a member out; null when it is not here.
  std::unique_ptr<Member> remove(const std::string& projection, Role role);
  [[nodiscard]] Member* find(const std::string& projection, Role role);
  [[nodiscard]] const std::vector<std::unique_ptr<Member>>& members() const { return members_; }

  /// Applies about `events_max` events. True when there are more. Errors: as PartitionReader::next(), undecodable apart: the
  /// positions stay before the event concerned.
  Result<bool> advance(std::size_t events_max);
  /// Applies what lies between here and `ends`, which are committed. Errors: as advance().
  Result<void> advance_to(const std::vector<Position>& ends);

  /// A shadow among the members, or null.
  [[nodiscard]] const Member* any_shadow() const;
  /// Members that failed since the last call; they are in no feed any more.
  std::vector<std::unique_ptr<Member>> take_failed();

  /// Writes rows, positions and parked events, within the store's transaction.
  Result<void> write(Catalogue& catalogue);
  /// That transaction was committed.
  void written();
  /// True when the positions have moved since written().
  [[nodiscard]] bool has_news() const { return has_news_; }

  [[nodiscard]] const TopicInfo& topic() const { return topic_; }
  [[nodiscard]] std::vector<Position> positions() const;
  /// Errors: as EventLog::to_store().
  [[nodiscard]] Result<std::vector<Position>> positions_to_store() const;
  [[nodiscard]] std::vector<Offset> committed_ends() const;
  [[nodiscard]] std::size_t cached_bytes() const;

  /// When the oldest event that is not committed was applied; the engine's to set.
  std::optional<Instant> news_since;
  /// Nothing is read before this time: the store or the log refused, see `stall`.
  Instant stalled_until = Instant::min();
  std::optional<Error> stall;
  bool at_end = false;

 private:
  struct Handler {
    detail::ApplyEvent apply;
    Member* member;
  };

  /// Applies one event of a partition; false at the committed end.
  Result<bool> apply_next(PartitionReader& reader);
  Result<void> dispatch(const Envelope& envelope);
  void pass_over(std::string_view type, const TopicPartition& partition, Offset offset, const Error& error);
  void drop_failed();
  void index_handlers();

  EventLog* log_;
  ShapeRegistry* shapes_;
  TopicInfo topic_;
  std::vector<PartitionReader> readers_;
  std::size_t next_reader_ = 0;
  std::unique_ptr<EventDecoder> decoder_;
  std::vector<std::vector<Handler>> handlers_;  // by the decoder's type
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<std::unique_ptr<Member>> failed_;
  bool has_news_ = false;
};

}  // namespace lungo
