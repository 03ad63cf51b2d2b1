#include "client/records_under_way.hpp"

#include <algorithm>

#include <lungo/log/check.hpp>

#include "client/rdk_errors.hpp"

namespace lungo {

namespace {

constexpr Duration kRoomWait = std::chrono::milliseconds{20};

}  // namespace

RecordsUnderWay::RecordsUnderWay(const writing::Produce& produce, std::uint64_t first_token)
    : handle_(produce.handle), first_token_(first_token), appends_(produce.appends) {
  for (std::size_t append = 0; append < appends_.size(); ++append) {
    for (std::size_t i = 0; i < appends_[append]->records.count(); ++i) records_.emplace_back(append, i);
  }
  left_ = records_.size();
  offsets_.assign(records_.size(), Offset{-1});
}

// ---- there ----

void RecordsUnderWay::hand_over(RdkProducer& producer, const KafkaNames& names) {
  for (std::size_t record = 0; record < records_.size(); ++record) {
    Result<void> produced = hand_over(producer, names, record);
    while (!produced && produced.error() == Errc::busy && !failure_) {
      look(producer, kRoomWait);
      if (left_ == 0) return;
      produced = hand_over(producer, names, record);
    }
    if (produced) continue;
    if (produced.error() == Errc::canceled) look(producer, kRoomWait);  // by what was refused
    if (!failure_) failure_ = produced.error();
    const bool is_records = produced.error() == Errc::too_large || produced.error() == Errc::invalid_argument;
    const bool is_topics = produced.error() == Errc::not_found;
    const std::size_t append = records_[record].first;
    if (is_records) refuse(appends_[append]->to, produced.error(), false, append);
    if (is_topics) refuse(appends_[append]->to, produced.error(), true, std::nullopt);
    is_unsure_ |= record > 0;
    left_ = 0;
    return;
  }
}

Result<void> RecordsUnderWay::hand_over(RdkProducer& producer, const KafkaNames& names, std::size_t record) {
  const auto [append, index] = records_[record];
  const AppendRequest& request = *appends_[append];
  const Result<RecordView> parsed = parse_record_body(request.records.body(index));
  check(parsed.has_value(), "what was encoded here can be decoded");
  headers_.clear();
  HeaderCursor cursor(*parsed);
  while (const HeaderView* header = cursor.next()) headers_.push_back(*header);
  const RecordFields fields{.timestamp = request.records.entries()[index].timestamp,
                            .key = parsed->has_key ? std::optional{parsed->key} : std::nullopt,
                            .value = parsed->has_value ? std::optional{parsed->value} : std::nullopt,
                            .headers = headers_};
  const auto [known, is_new] = kafka_names_.try_emplace(request.to.topic);
  if (is_new) known->second = names.on_kafka(request.to.topic);
  return producer.produce({known->second, request.to.partition}, fields, first_token_ + record);
}

// ---- and back ----

void RecordsUnderWay::look(RdkProducer& producer, Duration patience) {
  const bool is_quiet = !producer.wait_for_acks(patience);
  for (const RdkDelivery& delivery : producer.poll(Duration{0})) {
    if (delivery.token < first_token_ || left_ == 0) continue;  // of one that was aborted
    const std::size_t record = delivery.token - first_token_;
    --left_;
    if (delivery.offset) {
      offsets_[record] = *delivery.offset;
      continue;
    }
    const Error cause = delivery.error.value_or(Error{Errc::io, "a record was acknowledged without its offset"});
    if (!failure_ || failure_->code() == Errc::canceled) failure_ = cause;
    is_unsure_ = true;  // numbers were given to what is not there: the brokers would find the next ones out of order
    if (delivery.refusal == RdkRefusal::none) continue;
    refuse(appends_[records_[record].first]->to, cause, delivery.refusal == RdkRefusal::topic, std::nullopt);
  }
  if (is_quiet || (failure_ && refused_.empty())) look_at_end(producer);
}

/// Once for each partition.
void RecordsUnderWay::refuse(const TopicPartition& partition, const Error& error, bool lasts,
                             std::optional<std::size_t> append) {
  const auto known = std::ranges::find(refused_, partition, &writing::ProduceFailed::Refused::partition);
  if (known == refused_.end()) refused_.push_back({.partition = partition, .error = error, .lasts = lasts, .append = append});
}

/// Of a partition that could not be added records tell late, and not why. A right that is missing lasts, as far as it is known
/// whose it is.
void RecordsUnderWay::look_at_end(RdkProducer& producer) {
  const std::optional<Error> cause = producer.ended_by();
  if (!cause) return;
  failure_ = cause;
  is_unsure_ |= left_ > 0;
  left_ = 0;
  const std::string& topic = appends_.front()->to.topic;
  const bool is_one = std::ranges::all_of(appends_, [&](const AppendRequest* append) { return append->to.topic == topic; });
  if (!is_one || !is_missing_right(*cause)) return;
  for (const AppendRequest* const append : appends_) refuse(append->to, *cause, true, std::nullopt);
}

// ---- what became of it ----

writing::Input RecordsUnderWay::outcome() const {
  if (!failure_) return acknowledged();
  using Kind = writing::CallFailure::Kind;
  return writing::ProduceFailed{
      .handle = handle_,
      .failure = {.kind = is_unsure_ ? Kind::fatal : Kind::abort, .error = *failure_},
      .refused = refused_,
  };
}

writing::Acknowledged RecordsUnderWay::acknowledged() const {
  writing::Acknowledged done{.handle = handle_, .appends = {}, .partitions = {}};
  std::map<TopicPartition, std::vector<writing::OffsetRange>> partitions;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const auto [append, index] = records_[i];
    if (index == 0) done.appends.push_back({offsets_[i], offsets_[i]});
    done.appends.back().end = offsets_[i].next();
    writing::add_offset(partitions[appends_[append]->to], offsets_[i]);
  }
  for (auto& [name, ranges] : partitions) done.partitions.push_back({.name = name, .records = std::move(ranges)});
  return done;
}

}  // namespace lungo
