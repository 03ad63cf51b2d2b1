// Goal: a directory that Apache Kafka wrote is read as kafka-dump-log reads it, and stays so while Lungo writes; one that can't
// be taken over is refused and not touched. tests/peers/kafka_directory_test.py does the same with a live broker's.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <lungo/log/local_event_log.hpp>

#include "tests/support/kafka_dump_line.hpp"
#include "tests/support/temp_directory.hpp"

namespace golden_tests {

namespace fs = std::filesystem;
using namespace lungo;
using Lines = std::vector<std::string>;

const TopicPartition kOrders{"orders", PartitionId{0}};

class KafkaDirectory : public testing::Test {
 protected:
  KafkaDirectory() { fs::copy(fs::path(LUNGO_GOLDEN_KAFKA) / "data", path(), fs::copy_options::recursive); }

  [[nodiscard]] std::string path() const { return copy_ / "data"; }
  [[nodiscard]] std::map<std::string, std::string> segments() const {
    std::map<std::string, std::string> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(path() + "/orders-0")) {
      std::ifstream file(entry.path(), std::ios::binary);
      if (entry.path().extension() == ".log" || entry.path().extension() == ".snapshot") {
        files.emplace(entry.path().filename(), std::string(std::istreambuf_iterator<char>(file), {}));
      }
    }
    return files;
  }
  static Lines expected() {
    std::ifstream file(fs::path(LUNGO_GOLDEN_KAFKA) / "records.txt");
    Lines lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  static Lines records_of(EventLog& log) {
    Lines lines;
    const Ends ends = log.ends(kOrders).value();
    for (Offset at = ends.start; at < ends.committed;) {
      const Fetched fetched = log.read(kOrders, at, 1).value();
      RecordCursor records = fetched.records();
      while (const RecordView* record = records.next()) lines.push_back(test::kafka_dump_line(*record));
      EXPECT_FALSE(records.error()) << *records.error();
      at = fetched.next().offset;
    }
    return lines;
  }
  Error refusal() {
    const auto before = fs::exists(path() + "/lungo.topics");
    const Result<std::vector<TopicInfo>> refused = adopt_kafka_directory(path());
    EXPECT_FALSE(refused);
    EXPECT_EQ(fs::exists(path() + "/lungo.topics"), before);
    return refused ? Error{Errc::io, "was adopted"} : refused.error();
  }

  test::TempDirectory copy_;
};

TEST_F(KafkaDirectory, HasTheRecordsThatKafkaPrints) {
  const std::map<std::string, std::string> before = segments();
  const std::vector<TopicInfo> topics = adopt_kafka_directory(path() + "/").value();
  ASSERT_EQ(topics.size(), 1u);
  EXPECT_EQ(topics[0].spec.name, "orders");
  EXPECT_EQ(topics[0].spec.partitions, 1);
  EXPECT_FALSE(topics[0].spec.streams);
  EXPECT_EQ(segments(), before) << "adopting touches no segment";
  {
    LocalOptions reading;
    reading.read_only = true;
    EXPECT_EQ(records_of(*open_local(path(), reading).value()), expected()) << "before any writer";
  }
  for (int round = 0; round < 3; ++round) {
    const auto log = open_local(path()).value();
    EXPECT_EQ(log->topic("orders")->id, topics[0].id);
    EXPECT_EQ(log->ends(kOrders)->start, Offset{0});
    EXPECT_EQ(records_of(*log), expected());
  }
  EXPECT_EQ(segments(), before);
}

TEST_F(KafkaDirectory, GoesOnWithLungosRecords) {
  ASSERT_TRUE(adopt_kafka_directory(path()));
  for (int round = 1; round <= 3; ++round) {
    const auto log = open_local(path()).value();
    const Offset end = log->ends(kOrders)->committed;
    AppendRequest request{.to = kOrders};
    ASSERT_TRUE(request.records.add({.timestamp = {}, .value = as_bytes("ours")}));
    const Appended appended = append_wait(*log, std::move(request)).value();
    EXPECT_EQ(appended.first, end);
    EXPECT_EQ(records_of(*log).size(), expected().size() + static_cast<std::size_t>(round));
  }
  EXPECT_FALSE(fs::exists(path() + "/.kafka_cleanshutdown"));
}

// Batches of a broker are of its epochs; Lungo's come behind them, or they would look like damage.
TEST_F(KafkaDirectory, AppendsAreOfALaterEpoch) {
  const std::string log = path() + "/orders-0/00000000000000000037.log";
  std::fstream file(log, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(12);  // the leader epoch of its first batch, which no CRC covers
  file.write("\0\0\0\x29", 4);
  file.close();
  ASSERT_TRUE(adopt_kafka_directory(path()));
  for (int round = 0; round < 2; ++round) {
    const auto opened = open_local(path()).value();
    AppendRequest request{.to = kOrders};
    ASSERT_TRUE(request.records.add({.timestamp = {}, .value = as_bytes("ours")}));
    EXPECT_EQ(append_wait(*opened, std::move(request))->epoch, LeaderEpoch{42 + round});
  }
}

TEST_F(KafkaDirectory, IsAdoptedOnce) {
  ASSERT_TRUE(adopt_kafka_directory(path()));
  EXPECT_EQ(refusal(), Errc::already_exists);
}

TEST_F(KafkaDirectory, AnAdoptionThatWasInterruptedIsDoneAgain) {
  ASSERT_TRUE(adopt_kafka_directory(path()));
  fs::remove(path() + "/lungo.topics");
  EXPECT_FALSE(open_local(path()));
  ASSERT_TRUE(adopt_kafka_directory(path()));
  { const auto log = open_local(path()).value(); }
  fs::remove(path() + "/lungo.topics");
  EXPECT_EQ(refusal(), Errc::corrupt) << "Lungo has written here";
}

TEST_F(KafkaDirectory, WithPartitionsOfOtherPlacesIsRefused) {
  fs::copy(path() + "/orders-0", path() + "/orders-2", fs::copy_options::recursive);
  const Error refused = refusal();
  EXPECT_EQ(refused, Errc::invalid_argument);
  EXPECT_NE(refused.text().find("partitions 0, 2 of at least 3"), std::string_view::npos) << refused;
  fs::rename(path() + "/orders-2", path() + "/orders-1");
  EXPECT_EQ(adopt_kafka_directory(path()).value()[0].spec.partitions, 2);
}

TEST_F(KafkaDirectory, WithPartitionsOfTwoTopicsOfOneNameIsRefused) {
  fs::copy(path() + "/orders-0", path() + "/orders-1", fs::copy_options::recursive);
  std::ofstream(path() + "/orders-1/partition.metadata") << "version: 0\ntopic_id: pQ3OX3PmQVaKq0vTAnT1cw";
  EXPECT_EQ(refusal(), Errc::invalid_argument);
  fs::remove(path() + "/orders-1/partition.metadata");
  EXPECT_EQ(refusal(), Errc::corrupt);
}

TEST_F(KafkaDirectory, WhatIsNotItsIsLeftAlone) {
  for (const char* name : {"/__cluster_metadata-0", "/orders-0.3b1f0a6c0e9b4f65b5d1c1a2b3c4d5e6-delete", "/lost+found"}) {
    fs::create_directory(path() + name);
  }
  EXPECT_EQ(adopt_kafka_directory(path())->size(), 1u);
}

TEST_F(KafkaDirectory, OfAnotherVersionOrWithoutPartitionsIsRefused) {
  std::ofstream(path() + "/meta.properties") << "#\nversion=2\n";
  EXPECT_EQ(refusal(), Errc::newer_format);
  fs::remove(path() + "/meta.properties");
  fs::remove_all(path() + "/orders-0");
  EXPECT_EQ(refusal(), Errc::not_found);
  EXPECT_EQ(adopt_kafka_directory(path() + "/nowhere").error(), Errc::not_found);
}

}  // namespace golden_tests
