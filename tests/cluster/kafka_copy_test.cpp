#include <lungo/cluster/kafka_copy.hpp>

#include <gtest/gtest.h>

#include "tests/support/records.hpp"

namespace lungo::test {
namespace {

const KafkaAddress kShop{"a:9092,b:9092", "shop"};
const std::string kBegin = "kafka-acls.sh --bootstrap-server a:9092,b:9092 --add --allow-principal User:NAME";

TEST(KafkaRights, OfReadingAreForTopicsAlone) {
  const std::string operations = " --operation read --operation describe --operation describeconfigs";
  EXPECT_EQ(kafka_rights(kShop, {"events", "__lungo_shapes"}, false),
            (std::vector<std::string>{
                kBegin + operations + " --topic events --topic __lungo_shapes",
                kBegin + operations + " --resource-pattern-type prefixed --topic __lungo_shop_",
            }));
  EXPECT_EQ(kafka_rights(kShop, {}, false).front(), kBegin + operations + " --topic '*'");
}

TEST(KafkaRights, OfWritingNameGroupAndTransactions) {
  const std::vector<std::string> lines = kafka_rights(kShop, {"events"}, true);
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_NE(lines[0].find("--operation write --operation describe --operation create"), std::string::npos) << lines[0];
  EXPECT_EQ(lines[2], kBegin + " --operation read --operation describe --resource-pattern-type prefixed --group shop.");
  EXPECT_EQ(lines[3],
            kBegin + " --operation write --operation describe --resource-pattern-type prefixed --transactional-id shop.");
  EXPECT_NE(lines[4].find("--operation idempotentwrite --cluster"), std::string::npos) << lines[4];
}

TEST(KafkaRefusal, IsOfWhatNoBrokerTakes) {
  const std::string value(1'000, 'x');
  RecordView record;
  record.timestamp = Timestamp{std::chrono::milliseconds{1}};
  record.value = as_bytes(value);
  EXPECT_EQ(kafka_refusal({.name = "events", .batch_bytes_max = 1'200}, record), std::nullopt);
  const std::optional<std::string> large = kafka_refusal({.name = "events", .batch_bytes_max = 1'000}, record);
  ASSERT_TRUE(large);
  EXPECT_NE(large->find("at most 1000 (max.message.bytes)"), std::string::npos) << *large;
  record.timestamp = Timestamp{};
  const std::optional<std::string> timeless = kafka_refusal({.name = "events"}, record);
  ASSERT_TRUE(timeless);
  EXPECT_NE(timeless->find("1970-01-01T00:00:00.000Z"), std::string::npos) << *timeless;
}

/// A batch of this one record is never larger than it was counted.
TEST(KafkaRefusal, CountsWhatABatchTakesAroundARecord) {
  const std::string text(300, 'x');
  const std::vector<HeaderView> headers{{.name = "l.id", .value = as_bytes(text)}};
  EncodedRecords records;
  const RecordFields fields{
      .timestamp = Timestamp{std::chrono::milliseconds{1}}, .key = as_bytes(text), .value = as_bytes(text), .headers = headers};
  ASSERT_TRUE(records.add(fields));
  const BytesView batch = records.stamp(Offset{0}, LeaderEpoch{0});
  RecordCursor cursor{batch, Offset{0}};
  const RecordView record = *cursor.next();
  const auto with = [&](std::size_t most) {
    return kafka_refusal({.name = "events", .batch_bytes_max = static_cast<std::uint32_t>(most)}, record);
  };
  EXPECT_TRUE(with(batch.size() - 1)) << "the broker would refuse it";
  EXPECT_FALSE(with(batch.size() + 40));
}

}  // namespace
}  // namespace lungo::test
