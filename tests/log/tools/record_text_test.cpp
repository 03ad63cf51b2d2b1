// Records as lines and as JSON: what is written comes back, what is no record is refused in words.
#include "log/tools/record_text.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <random>

namespace lungo::test {
namespace {

using namespace std::string_view_literals;

/// The record as the log would hand it out; `records` keeps its bytes.
RecordView view_of(const NewRecord& record, EncodedRecords& records) {
  std::vector<HeaderView> headers;
  for (const NewRecord::Header& header : record.headers)
    headers.push_back({header.name, header.value ? as_bytes(*header.value) : BytesView{}, header.value.has_value()});
  RecordFields fields{.timestamp = record.timestamp.value_or(Timestamp{}), .headers = headers};
  if (record.key) fields.key = as_bytes(*record.key);
  if (record.value) fields.value = as_bytes(*record.value);
  records.add(fields).value();
  RecordView view = parse_record_body(records.body(records.count() - 1)).value();
  view.timestamp = fields.timestamp;
  view.offset = Offset{17};
  return view;
}

std::string refusal(std::string_view json) {
  const Result<NewRecord> record = record_of_json(json);
  return record ? "taken" : std::string(record.error().text());
}

TEST(RecordLine, AllOfItIsTheValueUnlessThereIsAKey) {
  EXPECT_EQ(record_of_line("a:b", std::nullopt)->value, "a:b");
  EXPECT_EQ(record_of_line("a:b", std::nullopt)->key, std::nullopt);
  EXPECT_EQ(record_of_line("", std::nullopt)->value, "");
  const NewRecord record = record_of_line("ada::b::c", "::").value();
  EXPECT_EQ(record.key, "ada");
  EXPECT_EQ(record.value, "b::c");
  EXPECT_EQ(record_of_line(":v", ":")->key, "");
  EXPECT_EQ(record_of_line("no key", ":").error().text(), "no key: ':' does not stand in it");
}

TEST(RecordJson, FieldsAreTaken) {
  const NewRecord record =
      record_of_json(R"({"key":"ada","valueBase64":"/wA=","timestamp":5,"partition":3,"topic":"x","offset":9,
      "time":"2024-05-01","headers":[{"name":"a","value":"b"},{"name":"a","value":null},{"nameBase64":"/w==","valueBase64":""}]})")
          .value();
  EXPECT_EQ(record.key, "ada");
  EXPECT_EQ(record.value, "\xff\0"sv);
  EXPECT_EQ(record.timestamp, Timestamp{std::chrono::milliseconds{5}});
  EXPECT_EQ(record.partition, 3);
  ASSERT_EQ(record.headers.size(), 3u);
  EXPECT_EQ(record.headers[1].value, std::nullopt);
  EXPECT_EQ(record.headers[2].name, "\xff");
  EXPECT_EQ(record.headers[2].value, "");
}

TEST(RecordJson, AllMayBeAbsent) {
  const NewRecord record = record_of_json("{}").value();
  EXPECT_FALSE(record.key || record.value || record.timestamp || record.partition);
  EXPECT_EQ(record_of_json(R"({"time":"2024-05-01T12:00:00Z"})")->timestamp,
            Timestamp{std::chrono::milliseconds{1'714'564'800'000}});
  const NewRecord short_form = record_of_json(R"({"headers":{"a":"b","c":null}})").value();
  ASSERT_EQ(short_form.headers.size(), 2u);
  EXPECT_EQ(short_form.headers[0].value, "b");
  EXPECT_EQ(short_form.headers[1].value, std::nullopt);
}

TEST(RecordJson, WhatIsNoRecordIsRefusedInWords) {
  EXPECT_NE(refusal("{").find("no JSON: "), std::string::npos);
  EXPECT_NE(refusal("\"\xff\"").find("no JSON: "), std::string::npos);
  EXPECT_EQ(refusal("[]"), "no JSON object");
  EXPECT_EQ(refusal("{} {}").substr(0, 8), "no JSON:");
  EXPECT_EQ(refusal(R"({"valeu":"x"})").substr(0, 56), "nothing is called \"valeu\"; did you mean value? There are");
  EXPECT_EQ(refusal(R"({"value":{"a":1}})"), "\"value\" is neither a string nor null; JSON inside of a record is a string too");
  EXPECT_EQ(refusal(R"({"value":"a","valueBase64":""})"), "\"value\" and \"valueBase64\" are both there");
  for (const char* bad : {R"({"keyBase64":"?"})", R"({"keyBase64":"YQ"})", R"({"keyBase64":1})"})
    EXPECT_EQ(refusal(bad), "\"keyBase64\" is no standard base64") << bad;
  for (const char* bad : {R"({"timestamp":-2})", R"({"timestamp":1.5})", R"({"timestamp":"1"})"})
    EXPECT_EQ(refusal(bad), "\"timestamp\" is a number of milliseconds since 1970, or -1 for none") << bad;
  EXPECT_EQ(record_of_json(R"({"timestamp":-1})")->timestamp, Timestamp{std::chrono::milliseconds{-1}});
  for (const char* bad : {R"({"partition":-1})", R"({"partition":2147483648})", R"({"partition":"0"})"})
    EXPECT_EQ(refusal(bad), "\"partition\" is no number of a partition") << bad;
  EXPECT_EQ(refusal(R"({"time":"yesterday"})"), "\"time\" is a text like 2024-05-01T12:00:00Z");
  EXPECT_EQ(refusal(R"({"headers":"a"})"), "\"headers\" is neither a list nor an object");
  EXPECT_EQ(refusal(R"({"headers":[{"value":"a"}]})"), "a header has no \"name\"");
  EXPECT_EQ(refusal(R"({"headers":{"a":1}})"), "the value of a header is neither a string nor null");
}

TEST(RecordJson, IsPrintedLetterByLetter) {
  NewRecord record{.key = "ada", .value = "2 espresso"};
  record.timestamp = Timestamp{std::chrono::milliseconds{1'714'564'800'000}};
  EncodedRecords records;
  EXPECT_EQ(json_of(view_of(record, records), {"orders", PartitionId{2}}),
            R"({"topic":"orders","partition":2,"offset":17,"time":"2024-05-01T12:00:00.000Z","timestamp":1714564800000,)"
            R"("key":"ada","value":"2 espresso"})");
  record.key.reset();
  record.value = "\xff";
  record.headers = {{"from", "we\tb"}, {"to", std::nullopt}};
  EXPECT_EQ(json_of(view_of(record, records), {"orders", PartitionId{2}}),
            R"({"topic":"orders","partition":2,"offset":17,"time":"2024-05-01T12:00:00.000Z","timestamp":1714564800000,)"
            R"("key":null,"valueBase64":"/w==","headers":[{"name":"from","value":"we\tb"},{"name":"to","value":null}]})");
}

// Any bytes, of which many are no UTF-8 and some drive terminals, go out as JSON and come back the same.
TEST(RecordJson, AnyRecordComesBackAsItWas) {
  std::mt19937 random{17};
  const auto text = [&] {
    const std::string_view pieces[] = {"a",        "\"",   "\\",   "\n",           "\x1b[2J", "\xc3\xa9",
                                       "\xc2\x9b", "\xff", "\0"sv, "\xe2\x80\xae", "\x7f"};
    std::string out;
    for (std::size_t count = random() % 6; count > 0; --count) out += pieces[random() % std::size(pieces)];
    return out;
  };
  for (int round = 0; round < 2000; ++round) {
    NewRecord record{.timestamp = Timestamp{std::chrono::milliseconds{random()}}};
    if (random() % 4 != 0) record.key = text();
    if (random() % 4 != 0) record.value = text();
    for (std::size_t count = random() % 3; count > 0; --count) {
      record.headers.push_back({text(), {}});
      if (random() % 4 != 0) record.headers.back().value = text();
    }
    EncodedRecords records;
    const std::string json = json_of(view_of(record, records), {"t", PartitionId{1}});
    for (const char c : json) ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << json;
    const NewRecord back = record_of_json(json).value();
    ASSERT_EQ(back.key, record.key) << json;
    ASSERT_EQ(back.value, record.value) << json;
    ASSERT_EQ(back.timestamp, record.timestamp) << json;
    ASSERT_EQ(back.partition, 1) << json;
    ASSERT_EQ(back.headers.size(), record.headers.size()) << json;
    for (std::size_t i = 0; i < back.headers.size(); ++i) {
      ASSERT_EQ(back.headers[i].name, record.headers[i].name) << json;
      ASSERT_EQ(back.headers[i].value, record.headers[i].value) << json;
    }
  }
}

TEST(RecordLine, HasTheColumnsThatWereAskedFor) {
  NewRecord record{.key = "a\tb", .headers = {{"h", "1"}, {"n", std::nullopt}}};
  record.timestamp = Timestamp{std::chrono::milliseconds{1'714'564'800'000}};
  EncodedRecords records;
  const RecordView view = view_of(record, records);
  LineForm form{.columns = columns_of({"partition", "offset", "time", "key", "headers"}).value()};
  EXPECT_EQ(line_of(view, PartitionId{3}, form), "3\t17\t2024-05-01T12:00:00.000Z\ta\tb\th=1,n=null\tnull");
  form.escaped = true;
  EXPECT_EQ(line_of(view, PartitionId{3}, form), "3\t17\t2024-05-01T12:00:00.000Z\ta\\tb\th=1,n=null\tnull");
  EXPECT_EQ(columns_of({"ofset"}).error().text().substr(0, 61),
            "nothing of a record is called ofset; did you mean offset? The");
}

TEST(RecordLine, DrivesNoTerminalWhenEscaped) {
  const NewRecord record{.value = "\x1b[2J\xc2\x9b\xff"};
  EncodedRecords records;
  const RecordView view = view_of(record, records);
  EXPECT_EQ(line_of(view, PartitionId{0}, {}), *record.value);
  EXPECT_EQ(line_of(view, PartitionId{0}, {.columns = {}, .escaped = true}), R"(\x1B[2J\u009B\xFF)");
}

TEST(LineSplitter, FindsLinesInWhateverPieces) {
  const std::string text = "one\n\nthree\r\nfour";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    LineSplitter lines;
    std::vector<std::string> found;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      lines.add(std::string_view{text}.substr(at, piece));
      while (const std::optional<std::string_view> line = lines.next()) found.emplace_back(*line);
    }
    EXPECT_EQ(lines.open_bytes(), 4u);
    if (const std::optional<std::string_view> rest = lines.rest()) found.emplace_back(*rest);
    EXPECT_EQ(found, (std::vector<std::string>{"one", "", "three\r", "four"})) << piece;
    EXPECT_EQ(lines.rest(), std::nullopt);
  }
}

}  // namespace
}  // namespace lungo::test
