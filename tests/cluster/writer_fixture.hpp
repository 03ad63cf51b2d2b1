// A WriterCore whose calls a test answers one by one. Transactions get offsets as a broker would give them: each partition's
// records in order, and a marker behind them.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "client/writer_core.hpp"
#include "tests/cluster/mirror_model.hpp"
#include "tests/support/records.hpp"

namespace lungo::test {

class WriterCore : public testing::Test {
 protected:
  using enum writing::CallFailure::Kind;
  using Keys = std::vector<std::string>;

  explicit WriterCore(writing::WriterCore::Options options = {}) : core(options, mirror) {}
  void SetUp() override {
    make_handle();
    own({kZero, kOne});
  }

  static inline const TopicPartition kZero{"events", PartitionId{0}};
  static inline const TopicPartition kOne{"events", PartitionId{1}};
  static inline const TopicPartition kPlain{"positions", PartitionId{0}};

  void step(writing::Input input) {
    for (writing::Effect& effect : core.step(std::move(input), now)) {
      if (writing::Answer* const answer = std::get_if<writing::Answer>(&effect)) {
        answers.emplace(answer->ticket.value(), std::move(answer->outcome));
      } else if (const writing::Committed* const told = std::get_if<writing::Committed>(&effect)) {
        committed[told->partition] = told->end;
      } else if (const writing::GiveUp* const gone = std::get_if<writing::GiveUp>(&effect)) {
        given_up = gone->handle;
      } else {
        effects.push_back(std::move(effect));
      }
    }
  }
  void pass(Duration time) {
    now += time;
    step(writing::Tick{});
  }

  /// The only effect since the last call, which is of that kind.
  template <class T>
  T take() {
    EXPECT_EQ(effects.size(), 1u);
    const writing::Effects all = std::exchange(effects, {});
    for (const writing::Effect& effect : all) {
      if (const T* one = std::get_if<T>(&effect)) return *one;
    }
    ADD_FAILURE() << "another effect";
    return {};
  }

  static AppendRequest conditional(std::string_view key, std::string_view id, std::int64_t as_of) {
    AppendRequest request = append_of(kZero, key, "v", id);
    request.condition = Condition{std::string(key), Offset{as_of}};
    return request;
  }
  /// Returns its ticket.
  std::uint64_t append(AppendRequest request, std::optional<TopicPartition> on_behalf_of = {}) {
    if (on_behalf_of) request.on_behalf_of.push_back(*std::move(on_behalf_of));
    step(writing::Append{
        .ticket = writing::AppendTicket{++tickets}, .request = std::move(request), .deadline = now + std::chrono::seconds{30}});
    return tickets;
  }
  std::uint64_t append(std::string_view key, std::string_view id = {}) { return append(append_of(kZero, key, "v", id)); }

  void make_handle() {
    if (effects.empty()) step(writing::Tick{});
    handle = take<writing::MakeHandle>().handle;
    done();
  }
  void done() { step(writing::CallDone{handle, {}}); }
  void fail(writing::CallFailure::Kind kind, bool is_stale = false) {
    step(writing::CallDone{handle, writing::CallFailure{kind, Error{Errc::io, "failed"}, is_stale}});
  }
  void grant(const std::vector<TopicPartition>& partitions) {
    tenure = std::make_shared<const ownership::Tenure>(ownership::Tenure{.number = ++tenures, .metadata = "m", .note = "n"});
    grant_more(partitions);
  }
  /// With the tenure of before.
  void grant_more(const std::vector<TopicPartition>& partitions) {
    std::vector<ownership::Granted> granted;
    for (const TopicPartition& partition : partitions) granted.push_back({partition, mirror.end(partition)});
    step(ownership::Grant{tenure, granted});
  }
  /// Grants them and lets the claim through.
  void own(const std::vector<TopicPartition>& partitions) {
    grant(partitions);
    claim();
    EXPECT_EQ(take<ownership::Claimed>().partitions, partitions);
  }
  void claim() {
    EXPECT_TRUE(take<writing::Produce>().appends.empty());
    step(writing::Acknowledged{.handle = handle, .appends = {}, .partitions = {}});
    take<writing::SendCounters>();
    done();
    take<writing::Commit>();
    done();
  }
  /// With a handle that was made anew. Leaves what was begun behind it.
  void claim_again() {
    claim();
    ASSERT_FALSE(effects.empty());
    EXPECT_TRUE(std::holds_alternative<ownership::Claimed>(effects.front()));
    effects.erase(effects.begin());
  }

  /// Takes the transaction that was begun. Returns the keys of its appends.
  Keys produced() {
    Keys keys;
    acknowledgement = {.handle = handle, .appends = {}, .partitions = {}};
    written.clear();
    for (const AppendRequest* request : take<writing::Produce>().appends) {
      keys.emplace_back(request->records.key(0).value_or("-"));
      Offset& end = ends[request->to];
      const writing::OffsetRange range{end, end.plus(static_cast<std::int64_t>(request->records.count()))};
      acknowledgement.appends.push_back(range);
      auto its = std::ranges::find(acknowledgement.partitions, request->to, &writing::Acknowledged::Partition::name);
      if (its == acknowledgement.partitions.end()) {
        its = acknowledgement.partitions.insert(its, {.name = request->to, .records = {}});
      }
      its->records.push_back(range);
      for (std::size_t i = 0; i < request->records.count(); ++i) {
        MirrorModel::Record record{.key = {}, .id = {}, .value = {}};
        if (const auto key = request->records.key(i)) record.key = std::string(*key);
        if (const auto id = request->records.id(i)) record.id = std::string(*id);
        written[request->to][end.plus(static_cast<std::int64_t>(i))] = std::move(record);
      }
      end = range.end;
    }
    for (const writing::Acknowledged::Partition& partition : acknowledgement.partitions)
      ends[partition.name] = ends[partition.name].next();
    return keys;
  }
  void acknowledge() { step(acknowledgement); }
  /// What was produced last is read back, or passed over where it was aborted.
  void read_back(bool is_committed = true) {
    for (const writing::Acknowledged::Partition& partition : acknowledgement.partitions) {
      MirrorModel::Partition& its = mirror[partition.name];
      const Offset from = std::exchange(its.end, ends[partition.name]);
      if (is_committed) its.records.merge(written[partition.name]);
      step(writing::Read{.partition = partition.name,
                         .from = from,
                         .end = its.end,
                         .records = is_committed ? partition.records : std::vector<writing::OffsetRange>{}});
    }
  }
  /// Acknowledges, counts where anything is owned, and commits.
  void commit() {
    acknowledge();
    if (std::holds_alternative<writing::SendCounters>(effects.at(0))) {
      take<writing::SendCounters>();
      done();
    }
    take<writing::Commit>();
    done();
  }
  void let_through() {
    commit();
    read_back();
  }

  /// "ok 3-5", "repeated 3-5", "conflict", "-" where there is none yet.
  std::string answer(std::uint64_t ticket) const {
    const auto found = answers.find(ticket);
    if (found == answers.end()) return "-";
    const Result<Appended>& outcome = found->second;
    if (!outcome) return std::string(to_string(outcome.error().code()));
    return (outcome->repeated ? "repeated " : "ok ") + std::to_string(outcome->first.value()) + "-" +
           std::to_string(outcome->end.value());
  }

  MirrorModel mirror;
  writing::WriterCore core;
  Instant now{std::chrono::hours{1}};
  writing::Effects effects;
  std::map<std::uint64_t, Result<Appended>> answers;
  std::map<TopicPartition, Offset> committed;  // as readers are told
  std::uint64_t tickets = 0;
  std::uint64_t tenures = 0;
  std::shared_ptr<const ownership::Tenure> tenure;
  writing::HandleNumber handle;
  std::optional<writing::HandleNumber> given_up;
  std::map<TopicPartition, Offset> ends;  // of the partitions' logs
  writing::Acknowledged acknowledgement;
  std::map<TopicPartition, std::map<Offset, MirrorModel::Record>> written;
};

}  // namespace lungo::test
