#include <lungo/framework/envelope.hpp>

#include <gtest/gtest.h>

namespace {

using namespace lungo;

EnvelopeFields fields_of(std::string_view type) {
  EnvelopeFields fields;
  fields.stream = "Visit-42";
  fields.type = type;
  fields.time = fields.recorded = Timestamp{std::chrono::milliseconds{1'000'000}};
  fields.payload = as_bytes("payload");
  return fields;
}

Result<Envelope> round_trip(const EnvelopeFields& fields, EncodedRecords& records) {
  records.clear();
  const Result<void> added = add_record(fields, records);
  if (!added) return added.error();
  Result<RecordView> record = parse_record_body(records.body(0));
  if (!record) return record.error();
  record->timestamp = fields.time;
  return parse_envelope("events", PartitionId{3}, *record);
}

/// A record with these headers, as a foreign writer may have made it.
Result<Envelope> parse_with(std::span<const HeaderView> headers, EncodedRecords& records) {
  records.clear();
  EXPECT_TRUE(records.add({Timestamp{}, as_bytes("key"), as_bytes("value"), headers}));
  Result<RecordView> record = parse_record_body(records.body(0));
  if (!record) return record.error();
  return parse_envelope("events", PartitionId{3}, *record);
}

TEST(Envelope, LeavesOutWhatIsEmpty) {
  EncodedRecords records;
  const Envelope envelope = round_trip(fields_of("PageViewed"), records).value();
  EXPECT_EQ(envelope.header_count, 1);
  EXPECT_EQ(envelope.type, "PageViewed");
  EXPECT_FALSE(envelope.shape);
  EXPECT_EQ(envelope.recorded, envelope.time);
  EXPECT_EQ(as_text(envelope.payload), "payload");
}

TEST(Envelope, RecordedAtIsADeltaInBothDirections) {
  EncodedRecords records;
  for (const std::int64_t delta :
       {1ll, -1ll, 63ll, -64ll, 64ll, 8191ll, 86'400'000ll, 4'000'000'000'000ll, -4'000'000'000'000ll}) {
    EnvelopeFields fields = fields_of("PageViewed");
    fields.recorded = fields.time + std::chrono::milliseconds{delta};
    EXPECT_EQ(round_trip(fields, records).value().recorded, fields.recorded) << delta;
  }
}

TEST(Envelope, RecordedAtStaysWithinWhatATimestampHolds) {
  // zigzag varints of the largest and the smallest delta
  Bytes largest(10, std::byte{0xff});
  largest[0] = std::byte{0xfe};
  largest[9] = std::byte{0x01};
  Bytes smallest(10, std::byte{0xff});
  smallest[9] = std::byte{0x01};
  const auto recorded = [](Timestamp time, BytesView delta) {
    EncodedRecords records;
    const HeaderView header{"l.r", delta};
    EXPECT_TRUE(records.add({Timestamp{}, as_bytes("key"), as_bytes("value"), {&header, 1}}));
    RecordView record = parse_record_body(records.body(0)).value();
    record.timestamp = time;
    return parse_envelope("events", PartitionId{3}, record).value().recorded;
  };
  const Timestamp zero{};
  const std::chrono::milliseconds one{1};
  EXPECT_EQ(recorded(zero, largest), Timestamp::max());
  EXPECT_EQ(recorded(zero + one, largest), Timestamp::max());
  EXPECT_EQ(recorded(Timestamp::max(), largest), Timestamp::max());
  EXPECT_EQ(recorded(Timestamp::min(), largest), zero - one);
  EXPECT_EQ(recorded(zero, smallest), Timestamp::min());
  EXPECT_EQ(recorded(zero - one, smallest), Timestamp::min());
  EXPECT_EQ(recorded(Timestamp::min(), smallest), Timestamp::min());
  EXPECT_EQ(recorded(Timestamp::max(), smallest), zero - one);
}

TEST(Envelope, ADeltaThatNoHeaderHoldsIsWrittenAsTheLargest) {
  EncodedRecords records;
  EnvelopeFields fields = fields_of("PageViewed");
  fields.time = Timestamp::min();
  fields.recorded = Timestamp::max();
  EXPECT_EQ(round_trip(fields, records).value().recorded, Timestamp::min() + std::chrono::milliseconds::max());
  std::swap(fields.time, fields.recorded);
  EXPECT_EQ(round_trip(fields, records).value().recorded, Timestamp::max() + std::chrono::milliseconds::min());
}

TEST(Envelope, DeltaBytesAreThoseOfTheReferencePage) {
  EncodedRecords records;
  EnvelopeFields fields = fields_of("PageViewed");
  fields.recorded = fields.time + std::chrono::milliseconds{64};
  Envelope envelope = round_trip(fields, records).value();
  HeaderCursor headers = envelope.headers();
  headers.next();
  const HeaderView* delta = headers.next();
  ASSERT_NE(delta, nullptr);
  EXPECT_EQ(delta->name, "l.r");
  ASSERT_EQ(delta->value.size(), 2u);
  EXPECT_EQ(delta->value[0], std::byte{0x80});
  EXPECT_EQ(delta->value[1], std::byte{0x01});
}

TEST(Envelope, BrokenHeadersAreUndecodable) {
  EncodedRecords records;
  const Bytes overlong(11, std::byte{0x80});
  const HeaderView broken[] = {
      {"l.s", as_bytes("fifteen bytes..")},
      {"l.r", as_bytes("\x80")},
      {"l.r", as_bytes(std::string_view("\x00\x00", 2))},
      {"l.r", overlong},
  };
  for (const HeaderView& header : broken) {
    const Result<Envelope> envelope = parse_with({&header, 1}, records);
    ASSERT_FALSE(envelope) << header.name;
    EXPECT_EQ(envelope.error(), Errc::undecodable);
  }
}

TEST(Envelope, UnknownAndForeignHeadersAreKept) {
  EncodedRecords records;
  const HeaderView headers[] = {{"l.zz", as_bytes("new")}, {"x", as_bytes("1")}, {"l.", as_bytes("2")}, {"l.t", {}, false}};
  const Envelope envelope = parse_with(headers, records).value();
  EXPECT_TRUE(envelope.type.empty());
  EXPECT_EQ(envelope.header_count, 4);
}

TEST(Envelope, TheFirstOfARepeatedHeaderCounts) {
  EncodedRecords records;
  const HeaderView headers[] = {{"l.t", as_bytes("First")}, {"l.t", as_bytes("Second")}};
  EXPECT_EQ(parse_with(headers, records).value().type, "First");
}

TEST(Envelope, LimitsAreCheckedBeforeWriting) {
  EncodedRecords records;
  const std::string text(256, 'x');
  EnvelopeFields fields = fields_of("PageViewed");
  fields.id = text;
  EXPECT_EQ(round_trip(fields, records).error(), Errc::invalid_argument);
  EXPECT_EQ(round_trip(fields_of(text), records).error(), Errc::invalid_argument);
  EXPECT_EQ(round_trip(fields_of(""), records).error(), Errc::invalid_argument);
  EXPECT_TRUE(records.empty());
}

TEST(StreamId, EscapesWhatWouldEndAPart) {
  EXPECT_EQ(StreamId("Visit", "42").text(), "Visit-42");
  EXPECT_EQ(StreamId(in("shop-7"), "Visit", "42").text(), "shop-7/Visit-42");
  EXPECT_EQ(StreamId("Visit", "a/b-c%").text(), "Visit-a%2Fb-c%25");
  EXPECT_EQ(StreamId(in("a/b"), "My-Visit", "1").text(), "a%2Fb/My%2DVisit-1");
}

TEST(StreamId, PartsAreFoundAgain) {
  EXPECT_EQ(scope_or_id("shop-7/Visit-42"), "shop-7");
  EXPECT_EQ(scope_or_id("Visit-42"), "Visit-42");
  EXPECT_EQ(category_of("shop-7/Visit-42"), "Visit");
  EXPECT_EQ(category_of("Visit-42"), "Visit");
}

TEST(StreamId, AStreamBesideAnotherLiesInItsPartition) {
  std::string beside;
  for (int visitor = 0; visitor < 50; ++visitor) {
    for (const StreamId& input :
         {StreamId("Visitor", std::to_string(visitor)), StreamId(in("s/1"), "Visitor", std::to_string(visitor))}) {
      stream_beside(input.text(), "Sessions", std::to_string(visitor), beside);
      EXPECT_EQ(partition_of_stream(beside, 32), partition_of_stream(input.text(), 32)) << beside;
    }
  }
}

}  // namespace
