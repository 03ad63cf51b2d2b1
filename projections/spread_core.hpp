// What a SpreadEngine owns: its units, one a partition, the activity that steps them, and the reads that go to all of them.
//
// For spread_engine.cpp, spread_core.cpp (running) and spread_reads.cpp (reading). Units are made by start() and stay; which of
// them are this process's, the membership says, whose calls only note it and wake the activity. Nothing waits for a unit to let
// go: what it has written others can do without.
// Threads: step() is the activity's; the rest as SpreadEngine says.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lungo/framework/forwarder.hpp>
#include <lungo/log/membership.hpp>
#include <lungo/projections/spread_engine.hpp>

#include "spread_unit.hpp"

namespace lungo {

class SpreadCore final : public Activity, public MembershipListener {
 public:
  SpreadCore(EventStore store, SpreadStores stores, SpreadOptions options)
      : store_(std::move(store)), stores_(std::move(stores)), options_(std::move(options)), snapshots_(store_, options_) {}
  ~SpreadCore() override { static_cast<void>(stop().has_value()); }  // the last rows are made again

  void add(std::unique_ptr<SpreadProjectionBase> projection);
  Result<void> start();
  Result<void> stop();
  Result<void> catch_up(Duration timeout);
  [[nodiscard]] std::vector<SpreadStatus> status() const;

  /// Visits the rows that `query` asks for, of one partition of the projection's topic, or of each in turn. `query` names no
  /// partition. Errors: see SpreadProjection.
  Result<void> visit(const SpreadProjectionBase& projection, const std::optional<StreamId>& stream, SpreadQuery query,
                     const SpreadRead& how, const RowVisitor& visit);
  [[nodiscard]] const std::string& name_of_queries() const { return options_.name; }
  /// Another process's query. Errors: as SpreadUnit::page() and parse_spread_query().
  Result<Bytes> answer(BytesView query);

  // Activity.
  Instant step(Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "projections"; }

  // MembershipListener.
  void opened(const std::vector<TopicPartition>& partitions) override;
  void closing(const std::vector<TopicPartition>& partitions, Instant deadline) override;
  void lost(const std::vector<TopicPartition>& partitions) override;

 private:
  enum class Phase { made, running, stopping, stopped };
  class Read;

  Result<void> make_units();
  Result<void> stop_units(Instant now);
  void wake();
  [[nodiscard]] Result<SpreadPage> page(const SpreadQuery& query);

  EventStore store_;
  const SpreadStores stores_;
  const SpreadOptions options_;
  SpreadSnapshots snapshots_;
  std::vector<std::unique_ptr<SpreadProjectionBase>> projections_;
  std::map<const SpreadProjectionBase*, SpreadTable> tables_;    // by start()
  std::vector<std::unique_ptr<SpreadProjectionBase>> refused_;   // added too late; their reads answer `closed`
  std::map<TopicPartition, std::unique_ptr<SpreadUnit>> units_;  // made by start(), and not changed any more
  std::shared_ptr<Forwarder> forwarder_;                         // by start(); null: none
  std::shared_ptr<Membership> membership_;                       // by start()

  std::atomic<Phase> phase_{Phase::made};
  std::mutex lifecycle_;  // of start() and stop(), which several threads may call
  Membership::Token token_;
  std::mutex mutex_;  // guards what follows
  RunningActivity* wakes_ = nullptr;
  std::optional<Result<void>> outcome_;  // of the last commits
  std::unique_ptr<RunningActivity> running_;
};

}  // namespace lungo
