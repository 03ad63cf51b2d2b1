// A transactional producer as librdkafka 2.0.2 is one: requests that are repeated until they are answered or their time has
// passed, batches in order, an epoch more after an abort that left some without acknowledgement, errors of three kinds.
#pragma once

#include <map>

#include "client/writer_messages.hpp"
#include "tests/cluster/model_network.hpp"
#include "tests/support/broker_model.hpp"

namespace lungo::test {

class ModelProducer {
 public:
  using Answer = BrokerModel::Answer;
  using Kind = writing::CallFailure::Kind;
  using Post = std::function<void(writing::Input)>;

  ModelProducer(BrokerModel& broker, ModelNetwork& network, std::shared_ptr<ModelLine> line, std::string id, Duration timeout,
                Post post)
      : broker_(broker),
        network_(network),
        line_(std::move(line)),
        id_(std::move(id)),
        timeout_(timeout),
        post_(std::move(post)) {}

  [[nodiscard]] const std::string& id() const { return id_; }

  void make(writing::HandleNumber handle) {
    stop_sending();
    const Wanted call = begin_call();
    handle_ = handle;
    using Made = std::optional<BrokerModel::Producer>;
    request<Made>({.at_broker = [this] { return broker_.init(id_); },
                   .is_final = [](const Made& made) { return made.has_value(); },
                   .then =
                       [this](const Made& made) {
                         take(*made);
                         done();
                       },
                   .late = [this] { fail_call(Kind::retriable); },
                   .is_wanted = call});
  }

  /// `tag` goes behind each value.
  void produce(const writing::Produce& produce, const std::string& tag) {
    stop_sending();
    has_begun_ = false;
    acknowledged_ = {.handle = handle_, .appends = {}, .partitions = {}};
    for (const AppendRequest* append : produce.appends) {
      Send& send = sends_[append->to];
      send.appends.push_back(acknowledged_.appends.size());
      acknowledged_.appends.emplace_back();
      for (std::size_t i = 0; i < append->records.count(); ++i) send.records.push_back(record_of(append->records, i, tag));
      send.counts.push_back(append->records.count());
    }
    for (auto& [partition, send] : sends_) {
      // Two batches where there is more than one record: others may write between them.
      send.split = 1 + network_.random.below(send.records.size());
      batches_left_ += send.split < send.records.size() ? 2 : 1;
    }
    if (sends_.empty()) return post_(acknowledged_);
    for (const auto& [partition, send] : sends_) add_partition(partition);
  }

  void send_counters(const std::string& member, int generation,
                     const std::map<TopicPartition, BrokerModel::Counter>& counters) {
    const Wanted call = begin_call();
    has_begun_ = true;
    const auto late = [this] { fail_call(Kind::retriable); };
    request<Answer>(
        {.at_broker = [this, producer = producer_] { return broker_.add_offsets(producer); },
         .is_final = is_final,
         .then =
             [=, this, producer = producer_](Answer added) {
               if (added != Answer::ok) return fail_call(Kind::fatal);
               request<Answer>(
                   {.at_broker = [=, this] { return broker_.commit_offsets(producer, member, generation, counters); },
                    .is_final = is_final,
                    .then = [this](Answer answer) { take_counters(answer); },
                    .late = late,
                    .is_wanted = call});
             },
         .late = late,
         .is_wanted = call});
  }

  void end(bool commit) {
    if (!commit) stop_sending();
    const Wanted call = begin_call();
    if (!has_begun_) return done();  // the coordinator knows of nothing
    request<Answer>({.at_broker = [this, producer = producer_, commit] { return broker_.end(producer, commit); },
                     .is_final = is_final,
                     .then =
                         [this, commit, call](Answer answer) {
                           if (answer != Answer::ok) return fail_call(Kind::fatal);
                           if (commit || batches_left_ == 0) return done();
                           bump(call);
                         },
                     .late = [this, commit] { fail_call(commit ? Kind::abort : Kind::retriable); },
                     .is_wanted = call});
  }

 private:
  using Wanted = std::shared_ptr<bool>;  // somebody waits for the answer
  template <class T>
  struct Request {
    std::function<T()> at_broker;
    std::function<bool(const T&)> is_final;  // otherwise it is made again
    std::function<void(const T&)> then;
    std::function<void()> late;  // the call's time has passed
    Wanted is_wanted;
    bool may_come_late = false;  // and arrive when nobody waits any more
    Instant deadline{};
  };
  struct Send {
    std::vector<BrokerModel::Record> records;
    std::vector<std::size_t> appends;  // of the transaction, by index
    std::vector<std::size_t> counts;   // of their records
    std::vector<Offset> offsets;
    std::size_t split = 0;
  };

  static bool is_final(Answer answer) { return answer != Answer::concurrent_transactions && answer != Answer::out_of_order; }

  static BrokerModel::Record record_of(const EncodedRecords& records, std::size_t index, const std::string& tag) {
    BrokerModel::Record record;
    if (const auto key = records.key(index)) record.key = std::string(*key);
    if (const auto id = records.id(index)) record.id = std::string(*id);
    const Result<RecordView> body = parse_record_body(records.body(index));
    record.value = std::string(as_text(body.value().value)) + tag;
    return record;
  }

  template <class T>
  void request(Request<T> wanted) {
    wanted.deadline = network_.now + timeout_;
    try_again(std::make_shared<const Request<T>>(std::move(wanted)));
  }
  template <class T>
  void try_again(std::shared_ptr<const Request<T>> wanted) {
    network_.send<T>(line_, wanted->may_come_late ? nullptr : wanted->is_wanted, wanted->at_broker,
                     [this, wanted](const std::optional<T>& answer) {
                       if (!*wanted->is_wanted) return;
                       if (answer && wanted->is_final(*answer)) return wanted->then(*answer);
                       if (network_.now > wanted->deadline) return wanted->late();
                       network_.later(line_, std::chrono::milliseconds{10}, [this, wanted] {
                         if (*wanted->is_wanted) try_again(wanted);
                       });
                     });
  }

  Wanted begin_call() {
    *calling_ = false;
    return calling_ = std::make_shared<bool>(true);
  }
  void stop_sending() {
    *sending_ = false;
    sending_ = std::make_shared<bool>(true);
    sends_.clear();
  }
  void done() { post_(writing::CallDone{handle_, {}}); }
  void fail_call(Kind kind, bool is_stale = false) {
    post_(writing::CallDone{handle_, writing::CallFailure{kind, Error{Errc::io, "the model's"}, is_stale}});
  }
  void fail_produce(Kind kind) {
    stop_sending();
    post_(writing::ProduceFailed{.handle = handle_, .failure = {kind, Error{Errc::io, "the model's"}, false}, .refused = {}});
  }
  void take(const BrokerModel::Producer& producer) {
    producer_ = producer;
    sequences_.clear();
    batches_left_ = 0;
  }
  void take_counters(Answer answer) {
    const bool is_stale = answer == Answer::illegal_generation || answer == Answer::unknown_member;
    if (answer == Answer::ok) return done();
    fail_call(is_stale ? Kind::abort : Kind::fatal, is_stale);
  }

  void add_partition(const TopicPartition& partition) {
    has_begun_ = true;
    request<Answer>(
        {.at_broker = [this, producer = producer_, partition] { return broker_.add_partition(producer, partition); },
         .is_final = is_final,
         .then =
             [this, partition](Answer answer) {
               if (answer != Answer::ok) return fail_produce(Kind::fatal);
               send_batch(partition);
             },
         .late = [this] { fail_produce(Kind::abort); },
         .is_wanted = sending_});
  }

  void send_batch(const TopicPartition& partition) {
    Send& send = sends_.at(partition);
    const std::size_t begin = send.offsets.size();
    const std::size_t end = begin == 0 ? send.split : send.records.size();
    const std::vector<BrokerModel::Record> records(send.records.begin() + static_cast<std::ptrdiff_t>(begin),
                                                   send.records.begin() + static_cast<std::ptrdiff_t>(end));
    const auto count = static_cast<std::int64_t>(records.size());
    using Produced = BrokerModel::Produced;
    const auto at_broker = [this, producer = producer_, partition, sequence = sequences_[partition]++, records] {
      return broker_.produce(producer, partition, sequence, records);
    };
    if (network_.loses && network_.random.one_in(10))
      network_.send_copy(line_, [at_broker] { static_cast<void>(at_broker()); });
    request<Produced>({.at_broker = at_broker,
                       .is_final =
                           [this, partition, count](const Produced& produced) {
                             if (produced.answer != Answer::ok) return is_final(produced.answer);
                             return broker_.high_watermark(partition) >= produced.base.plus(count);
                           },
                       .then =
                           [this, partition, count](const Produced& produced) {
                             if (produced.answer != Answer::ok) return fail_produce(Kind::fatal);
                             take_batch(partition, produced.base, count);
                           },
                       .late = [this] { fail_produce(Kind::abort); },
                       .is_wanted = sending_,
                       .may_come_late = true});
  }

  void take_batch(const TopicPartition& partition, Offset base, std::int64_t count) {
    Send& send = sends_.at(partition);
    for (std::int64_t i = 0; i < count; ++i) send.offsets.push_back(base.plus(i));
    if (--batches_left_ == 0) return acknowledge();
    if (send.offsets.size() < send.records.size()) send_batch(partition);
  }

  void acknowledge() {
    for (const auto& [partition, send] : sends_) {
      writing::Acknowledged::Partition its{.name = partition, .records = {}};
      for (const Offset offset : send.offsets) writing::add_offset(its.records, offset);
      acknowledged_.partitions.push_back(std::move(its));
      std::size_t first = 0;
      for (std::size_t i = 0; i < send.appends.size(); ++i) {
        const std::size_t last = first + send.counts[i] - 1;
        acknowledged_.appends[send.appends[i]] = {send.offsets[first], send.offsets[last].next()};
        first = last + 1;
      }
    }
    stop_sending();
    post_(acknowledged_);
  }

  void bump(const Wanted& call) {
    using Bumped = std::pair<Answer, BrokerModel::Producer>;
    request<Bumped>({.at_broker =
                         [this, producer = producer_] {
                           BrokerModel::Producer next = producer;
                           const Answer answer = broker_.bump(next);
                           return Bumped{answer, next};
                         },
                     .is_final = [](const Bumped& bumped) { return is_final(bumped.first); },
                     .then =
                         [this](const Bumped& bumped) {
                           if (bumped.first != Answer::ok) return fail_call(Kind::fatal);
                           take(bumped.second);
                           done();
                         },
                     .late = [this] { fail_call(Kind::fatal); },
                     .is_wanted = call});
  }

  BrokerModel& broker_;
  ModelNetwork& network_;
  const std::shared_ptr<ModelLine> line_;
  const std::string id_;
  const Duration timeout_;
  const Post post_;

  writing::HandleNumber handle_;
  BrokerModel::Producer producer_;
  Wanted calling_ = std::make_shared<bool>(true);
  Wanted sending_ = std::make_shared<bool>(true);
  bool has_begun_ = false;  // the coordinator may know of the transaction
  std::map<TopicPartition, int> sequences_;
  std::map<TopicPartition, Send> sends_;  // of the transaction, until it is acknowledged
  std::size_t batches_left_ = 0;          // without acknowledgement
  writing::Acknowledged acknowledged_;
};

}  // namespace lungo::test
