// What a few idempotent producers have sent to one partition, and what their next batches have to be answered.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "tests/log/producer_batches.hpp"
#include "tests/support/random.hpp"

namespace lungo::test {

class ProducerModel {
 public:
  /// What a producer sends next: mostly what follows, otherwise one of its last batches again, or what can't follow.
  Produced next(Random& random) const {
    Produced batch{.producer = ProducerId{1 + static_cast<std::int64_t>(random.below(3))}, .records = {}};
    const auto found = sent_.find(batch.producer);
    std::size_t count = 1 + random.below(3);
    if (found == sent_.end() || found->second.empty()) {
      batch.sequence = static_cast<std::int32_t>(random.below(3));  // nobody knows it: any may be its first
    } else if (const Batch& last = found->second.back(); random.one_in(3)) {
      const Batch& again =
          found->second[found->second.size() - 1 - random.below(std::min<std::size_t>(6, found->second.size()))];
      batch.epoch = again.epoch;
      batch.sequence = again.sequence;
      count = again.count;
    } else {
      batch.epoch = last.epoch;
      batch.sequence = last.end();
      if (random.one_in(8)) batch.sequence += static_cast<std::int32_t>(random.below(3)) - 1;
      if (random.one_in(8)) {
        batch.epoch = static_cast<std::int16_t>(batch.epoch + 1);
        if (!random.one_in(3)) batch.sequence = 0;
      }
    }
    batch.records.resize(count);
    return batch;
  }

  /// Whether `answer` is right for a batch that came when the log ended at `end`; notes it if it was written.
  void expect(const Produced& batch, const Result<Appended>& answer, Offset end) {
    std::vector<Batch>& sent = sent_[batch.producer];
    const auto written = [&] {
      ASSERT_TRUE(answer) << answer.error();
      ASSERT_FALSE(answer->repeated);
      ASSERT_EQ(answer->first, end);
      sent.push_back({batch.epoch, batch.sequence, batch.records.size(), end});
    };
    if (sent.empty()) return written();
    const Batch& last = sent.back();
    if (batch.epoch < last.epoch) return expect_error(answer, Errc::producer_fenced);
    if (batch.epoch > last.epoch) return batch.sequence == 0 ? written() : expect_error(answer, Errc::out_of_sequence);
    for (std::size_t back = 1; back <= std::min(kKnown, sent.size()); ++back) {
      const Batch& known = sent[sent.size() - back];
      if (known.epoch != batch.epoch || known.sequence != batch.sequence || known.count != batch.records.size()) continue;
      if (!answer && known.may_be_forgotten && back > 1) return expect_error(answer, Errc::out_of_sequence);
      ASSERT_TRUE(answer) << answer.error();
      ASSERT_TRUE(answer->repeated);
      ASSERT_EQ(answer->first, known.first);
      ASSERT_EQ(answer->end, known.first.plus(static_cast<std::int64_t>(known.count)));
      return;
    }
    if (batch.sequence == last.end()) return written();
    expect_error(answer, Errc::out_of_sequence);
  }

  /// What is known is made anew, of a log that ends at `end`: of each producer the last batch is certain.
  void made_anew(Offset end) {
    for (auto& [id, sent] : sent_) {
      std::erase_if(sent, [&](const Batch& batch) { return batch.first >= end; });
      for (Batch& batch : sent) batch.may_be_forgotten = true;
    }
  }

 private:
  static constexpr std::size_t kKnown = 5;

  struct Batch {
    std::int16_t epoch;
    std::int32_t sequence;
    std::size_t count;
    Offset first;
    bool may_be_forgotten = false;

    [[nodiscard]] std::int32_t end() const { return sequence + static_cast<std::int32_t>(count); }
  };

  static void expect_error(const Result<Appended>& answer, Errc code) {
    ASSERT_FALSE(answer);
    ASSERT_EQ(answer.error(), code) << answer.error();
  }

  std::map<ProducerId, std::vector<Batch>> sent_;
};

}  // namespace lungo::test
