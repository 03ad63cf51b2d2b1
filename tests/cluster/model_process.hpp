// A process: the two cores, and shells around them that do on the model what the real ones do on Kafka. Each of its activities
// has a queue of its own at each core, and they are emptied in any order.
#pragma once

#include <deque>

#include "client/ownership_core.hpp"
#include "client/writer_core.hpp"
#include "tests/cluster/cores_history.hpp"
#include "tests/cluster/mirror_model.hpp"
#include "tests/cluster/model_member.hpp"
#include "tests/cluster/model_producer.hpp"

namespace lungo::test {

class ModelProcess {
 public:
  static constexpr ownership::ListenerId kListener{1};

  struct Options {
    Duration session_timeout;
    ownership::OwnershipCore::Options ownership;
    writing::WriterCore::Options writer;
  };

  ModelProcess(const Options& options, BrokerModel& broker, ModelNetwork& network, CoresHistory& history, MirrorModel kept,
               const std::vector<TopicPartition>& partitions)
      : mirror(std::move(kept)),
        broker_(broker),
        network_(network),
        history_(history),
        ownership_(options.ownership),
        writer_(options.writer, mirror),
        producer_(broker, network, line_, options.ownership.transactional_id, options.ownership.transaction_timeout,
                  [this](writing::Input input) { writer_inbox_[0].push_back(std::move(input)); }),
        member_(broker, network, group_line_, options.session_timeout,
                [this](ownership::Input input) { ownership_inbox_[0].push_back(std::move(input)); }) {
    for (const TopicPartition& partition : partitions) {
      read_to_[partition] = mirror.end(partition);
      ownership_inbox_[1].push_back(ownership::MirrorEnd{partition, mirror.end(partition)});
    }
    ownership_inbox_[4].push_back(ownership::Joined{kListener, {"events"}});
  }
  ModelProcess(const ModelProcess&) = delete;

  [[nodiscard]] bool runs() const { return network_.runs(*line_); }
  [[nodiscard]] bool is_member() const { return member_.is_in(); }
  [[nodiscard]] std::vector<TopicPartition> mine() const { return ownership_.mine(); }

  /// One input that waits, if there is one.
  bool step() {
    if (!runs()) return false;
    if (writer_.wake_at() <= network_.now) step_writer(writing::Tick{});
    if (ownership_.wake_at() <= network_.now) step_ownership(ownership::Tick{});
    const std::uint64_t first = network_.random.below(kQueues);
    for (std::size_t i = 0; i < kQueues; ++i) {
      const std::size_t queue = (first + i) % kQueues;
      if (take(ownership_inbox_[queue], [this](ownership::Input input) { step_ownership(std::move(input)); })) return true;
      if (take(writer_inbox_[queue], [this](writing::Input input) { step_writer(std::move(input)); })) return true;
    }
    return false;
  }

  /// The tail takes in what follows the mirror's end, or some of it.
  bool read(const TopicPartition& partition, std::int64_t records_max) {
    if (!runs() || network_.now < line_->cut_until) return false;
    MirrorModel::Partition& its = mirror[partition];
    BrokerModel::Fetched fetched = broker_.fetch(partition, its.end, records_max);
    if (fetched.next == its.end) return false;
    writing::Read read{.partition = partition, .from = its.end, .end = fetched.next, .records = {}};
    for (auto& [offset, record] : fetched.records) {
      writing::add_offset(read.records, offset);
      its.records[offset] = {std::move(record.key), std::move(record.id), std::move(record.value)};
    }
    its.end = fetched.next;
    read_to_[partition] = std::max(read_to_[partition], its.end);
    writer_inbox_[1].push_back(std::move(read));
    ownership_inbox_[1].push_back(ownership::MirrorEnd{partition, its.end});
    return true;
  }
  /// It differs from its source, or so it seems.
  void empty_mirror(const TopicPartition& partition) {
    mirror[partition] = {};
    ownership_inbox_[1].push_back(ownership::MirrorEnd{partition, Offset{0}});
  }

  /// A clean stop: it writes and owns nothing more.
  void stop() {
    if (std::exchange(is_stopping_, true)) return;
    writer_inbox_[3].push_back(writing::Close{Error{Errc::closed, "stopped"}, network_.now + std::chrono::seconds{2}});
    ownership_inbox_[4].push_back(ownership::GiveBack{});
  }
  [[nodiscard]] bool is_stopping() const { return is_stopping_; }
  [[nodiscard]] bool has_stopped() const { return has_ended_ && mine().empty(); }

  /// Tries an append of the history.
  void append(std::size_t index, Duration timeout) {
    CoresHistory::Append& append = history_.appends[index];
    AppendRequest request{.to = append.to, .records = {}, .condition = append.condition, .since = append.since};
    const HeaderView id{.name = kIdHeader, .value = as_bytes(append.id)};
    for (int i = 0; i < append.records; ++i) {
      const std::string value = CoresHistory::value_of(index, i);
      RecordFields fields{.timestamp = {}, .key = as_bytes(append.key), .value = as_bytes(value), .headers = {}};
      if (i == 0 && !append.id.empty()) fields.headers = {&id, 1};
      request.records.add(fields).value();
    }
    if (append.on_behalf_of) request.on_behalf_of.push_back(*append.on_behalf_of);
    ++append.tries;
    tries_.push_back(index);
    writer_inbox_[3].push_back(writing::Append{
        .ticket = writing::AppendTicket{tries_.size() - 1}, .request = std::move(request), .deadline = network_.now + timeout});
  }
  [[nodiscard]] std::size_t unanswered() const { return tries_.size() - answered_; }

  MirrorModel mirror;
  /// Up to where its callers know the partition: what was answered may not be in the mirror yet.
  [[nodiscard]] Offset known_end(const TopicPartition& partition) const {
    const auto told = committed_.find(partition);
    return told == committed_.end() ? mirror.end(partition) : std::max(told->second, mirror.end(partition));
  }

  // ---- what happens to it ----

  void kill() { line_->is_dead = group_line_->is_dead = true; }
  void pause(Instant until) { line_->paused_until = group_line_->paused_until = until; }
  void cut(Instant until) { line_->cut_until = group_line_->cut_until = until; }
  /// From the group's coordinator only.
  void cut_from_group(Instant until) { group_line_->cut_until = until; }
  [[nodiscard]] Instant next_step_at() const {
    return std::max(line_->paused_until, std::min(writer_.wake_at(), ownership_.wake_at()));
  }

 private:
  static constexpr std::size_t kQueues = 5;

  template <class Input, class Step>
  static bool take(std::deque<Input>& queue, const Step& step) {
    if (queue.empty()) return false;
    Input input = std::move(queue.front());
    queue.pop_front();
    step(std::move(input));
    return true;
  }

  // ---- OwnershipCore's shell: group and admin ----

  void step_ownership(ownership::Input input) {
    const bool is_lost = std::holds_alternative<ownership::Lost>(input);
    ownership::Effects effects = ownership_.step(std::move(input), network_.now);
    const bool is_forced = is_lost || std::ranges::any_of(effects, [](const ownership::Effect& effect) {
                             return std::holds_alternative<ownership::TakeAway>(effect);
                           });
    for (ownership::Effect& effect : effects) {
      if (std::holds_alternative<ownership::Grant>(effect)) has_granted_ = true;
      if (std::holds_alternative<ownership::Unassign>(effect)) {
        const bool has_waited = std::exchange(has_granted_, false) && !is_forced;
        if (has_waited && broker_.is_ongoing_in_group(producer_.id())) {
          history_.fail(producer_.id() + " lets go while a transaction of it is open");
        }
      }
      std::visit([this](auto& one) { carry_out(one); }, effect);
    }
  }

  void carry_out(const ownership::Subscribe& subscribe) { member_.subscribe(!subscribe.topics.empty()); }
  void carry_out(const ownership::Unassign&) { member_.unassign(); }
  void carry_out(const ownership::AskHighWatermarks& ask) {
    using Rows = std::vector<std::pair<TopicPartition, Result<Offset>>>;
    const auto at_broker = [this, partitions = ask.partitions] {
      Rows rows;
      for (const TopicPartition& partition : partitions) {
        if (network_.loses && network_.random.one_in(10)) {
          rows.emplace_back(partition, Error{Errc::io, "a leader that does not know it yet"});
        } else {
          rows.emplace_back(partition, broker_.high_watermark(partition));
        }
      }
      return rows;
    };
    network_.send<Rows>(line_, nullptr, at_broker, [this, ask](std::optional<Rows> rows) {
      ownership::HighWatermarks answer{.tenure = ask.tenure, .rows = rows.value_or(Rows{})};
      for (const TopicPartition& partition : rows ? std::vector<TopicPartition>{} : ask.partitions) {
        answer.rows.emplace_back(partition, Error{Errc::timed_out, "nobody answers"});
      }
      ownership_inbox_[2].push_back(std::move(answer));
    });
  }
  void carry_out(const ownership::AskOwners& ask) {
    using Rows = std::vector<ownership::Owners::Row>;
    const auto notes = [this, ask] {
      Rows rows;
      for (const TopicPartition& partition : ask.partitions) {
        const BrokerModel::Offsets offsets = broker_.offsets(partition, ask.require_stable);
        rows.push_back({.partition = partition, .note = {}, .is_pending = offsets.is_pending});
        if (offsets.counter) rows.back().note = offsets.counter->metadata;
      }
      return rows;
    };
    network_.send<Rows>(line_, nullptr, notes, [this, tenure = ask.tenure](std::optional<Rows> rows) {
      if (!rows) return tell_owners(tenure, Error{Errc::timed_out, "nobody answers"}, {}, {});
      using Names = std::vector<std::string>;
      const auto members = [this] { return broker_.members(); };
      network_.send<Names>(line_, nullptr, members, [this, tenure, rows = *std::move(rows)](const std::optional<Names>& names) {
        if (!names) return tell_owners(tenure, Error{Errc::timed_out, "nobody answers"}, {}, {});
        tell_owners(tenure, {}, rows, *names);
      });
    });
  }
  void tell_owners(std::uint64_t tenure, Result<void> outcome, std::vector<ownership::Owners::Row> rows,
                   std::vector<std::string> members) {
    ownership_inbox_[2].push_back(ownership::Owners{
        .tenure = tenure, .outcome = std::move(outcome), .rows = std::move(rows), .members = std::move(members)});
  }
  void carry_out(const ownership::Fence& fence) { this->fence(fence.transactional_id, 20); }
  void fence(const std::string& id, int tries) {
    using Made = std::optional<BrokerModel::Producer>;
    network_.send<Made>(
        line_, nullptr, [this, id] { return broker_.init(id); },
        [this, id, tries](const std::optional<Made>& made) {
          const bool is_made = made && *made;
          if (!is_made && tries > 0) {
            network_.later(line_, std::chrono::milliseconds{10}, [this, id, tries] { fence(id, tries - 1); });
            return;
          }
          Result<void> outcome;
          if (!is_made) outcome = Error{Errc::timed_out, "no coordinator"};
          ownership_inbox_[2].push_back(ownership::Fenced{id, outcome});
        });
  }
  void carry_out(const ownership::Grant& grant) { writer_inbox_[2].push_back(grant); }
  void carry_out(const ownership::LetGo& let_go) { writer_inbox_[2].push_back(let_go); }
  void carry_out(const ownership::TakeAway& take_away) { writer_inbox_[2].push_back(take_away); }
  void carry_out(const ownership::TellOpened&) {}
  void carry_out(const ownership::TellLost&) {}
  void carry_out(const ownership::TellClosing& closing) {
    network_.later(line_, std::chrono::milliseconds{network_.random.below(100)},
                   [this, listener = closing.listener] { ownership_inbox_[4].push_back(ownership::ClosingDone{listener}); });
  }
  void carry_out(const ownership::Warn&) {}

  // ---- WriterCore's ----

  void step_writer(writing::Input input) {
    if (const ownership::Grant* grant = std::get_if<ownership::Grant>(&input)) {
      generation_ = ModelMetadata::of(grant->tenure->metadata).generation;
    }
    for (writing::Effect& effect : writer_.step(std::move(input), network_.now)) {
      std::visit([this](auto& one) { carry_out(one); }, effect);
    }
  }

  void carry_out(const writing::MakeHandle& make) { producer_.make(make.handle); }
  void carry_out(const writing::Produce& produce) { producer_.produce(produce, CoresHistory::tag_of(generation_)); }
  void carry_out(const writing::GiveUp&) {}  // what is answered to it finds nothing open
  void carry_out(const writing::SendCounters& send) {
    const ModelMetadata metadata = ModelMetadata::of(send.tenure->metadata);
    std::map<TopicPartition, BrokerModel::Counter> counters;
    for (const writing::SendCounters::Counter& counter : send.counters) {
      counters[counter.partition] = {.offset = counter.offset, .metadata = send.tenure->note};
    }
    producer_.send_counters(metadata.member, metadata.generation, counters);
  }
  void carry_out(const writing::Commit&) { producer_.end(true); }
  void carry_out(const writing::Abort&) { producer_.end(false); }
  void carry_out(const writing::Committed& committed) { committed_[committed.partition] = committed.end; }
  void carry_out(writing::Answer& answer) {
    ++answered_;
    CoresHistory::Append& append = history_.appends[tries_[answer.ticket.value()]];
    if (answer.outcome && answer.outcome->end > std::max(committed_[append.to], read_to_[append.to])) {
      history_.fail("an append to " + to_string(append.to) + " was answered, and readers do not know that they are to wait");
    }
    append.answers.push_back(std::move(answer.outcome));
  }
  void carry_out(const writing::Foreign& foreign) {
    for (Offset at = foreign.records.begin; at < foreign.records.end; at = at.next()) {
      history_.reported.insert({foreign.partition, at});
    }
  }
  void carry_out(const writing::Missing& missing) {
    history_.fail("records at " + std::to_string(missing.records.begin.value()) + " of " + to_string(missing.partition) +
                  " are said to be missing");
  }
  void carry_out(const writing::Claimed& claimed) {
    for (const TopicPartition& partition : claimed.partitions) {
      history_.openings.push_back({.partition = partition, .generation = generation_, .read_to = read_to_[partition]});
    }
    ownership_inbox_[3].push_back(claimed);
  }
  void carry_out(const writing::LetGone& gone) { ownership_inbox_[3].push_back(gone); }
  void carry_out(const writing::Ended&) { has_ended_ = true; }

  const std::shared_ptr<ModelLine> line_ = std::make_shared<ModelLine>();
  const std::shared_ptr<ModelLine> group_line_ = std::make_shared<ModelLine>();  // of the group's consumer
  BrokerModel& broker_;
  ModelNetwork& network_;
  CoresHistory& history_;
  ownership::OwnershipCore ownership_;
  writing::WriterCore writer_;
  ModelProducer producer_;
  ModelMember member_;
  std::deque<ownership::Input> ownership_inbox_[kQueues];  // of the group, the tail, the admin, the writer, the listeners
  std::deque<writing::Input> writer_inbox_[kQueues];       // of the producer, the tail, the group, the callers
  std::map<TopicPartition, Offset> read_to_;               // the largest end of each mirror
  std::map<TopicPartition, Offset> committed_;             // of its own appends, as readers are told
  int generation_ = 0;                                     // of what was granted last
  std::vector<std::size_t> tries_;                         // which append each ticket is a try of
  std::size_t answered_ = 0;
  bool has_granted_ = false;  // something of this assignment
  bool is_stopping_ = false;
  bool has_ended_ = false;  // the writer
};

}  // namespace lungo::test
