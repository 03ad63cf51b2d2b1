// The home of this program: a log over a cluster of Apache Kafka, as an application of its own in each case.
#include <lungo/cluster/kafka.hpp>
#include <lungo/log/mirror_log.hpp>

#include "client/kafka_names.hpp"
#include "tests/contract/home.hpp"
#include "tests/kafka/brokers.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::contract {

namespace {

class KafkaHome : public Home {
 public:
  std::shared_ptr<EventLog> open() override {
    KafkaOptions options;
    options.directory = directory_ / "local";
    options.partitions = 4;
    return connect_kafka(brokers_.options.hosts, app_, options).value();
  }
  void restart(std::shared_ptr<EventLog>& log) override {
    log.reset();
    log = open();
  }
  /// An application's topics have the names that it gives them, and the next case gives the same ones. The shapes are all
  /// applications'.
  ~KafkaHome() override {
    const KafkaNames names = KafkaNames::of(app_).value();
    for (const std::string& topic : made_topics()) {
      if (topic != "__lungo_shapes") remove(names.on_kafka(topic));
    }
    remove(names.on_kafka(kTopicsTopic));
  }

 private:
  void remove(const std::string& topic) {
    const Result<void> removed = brokers_.admin->delete_topic(topic, test::Brokers::kTimeout);
    if (!removed && removed.error() != Errc::not_found) ADD_FAILURE() << removed.error();
  }
  /// What has a row, as the mirror has it that the log has left.
  std::vector<std::string> made_topics() {
    std::vector<std::string> names;
    const Result<std::string> cluster = brokers_.admin->cluster_id(test::Brokers::kTimeout);
    if (!cluster) return names;
    const Result<std::unique_ptr<MirrorLog>> mirror = open_mirror(directory_ / "local/mirror", *cluster);
    if (!mirror) return names;
    const Result<Fetched> rows = (*mirror)->reads().read({std::string(kTopicsTopic), PartitionId{0}}, Offset{0}, 1u << 20);
    if (!rows) return names;
    RecordCursor cursor = rows->records();
    while (const RecordView* row = cursor.next()) names.emplace_back(as_text(row->key));
    return names;
  }

  test::QuietLog quiet_;
  test::TempDirectory directory_;
  test::Brokers brokers_;
  const std::string app_ = brokers_.name("contract");
};

}  // namespace

std::function<std::unique_ptr<Home>()> maker_of(std::string_view name) {
  if (name == "kafka") return [] { return std::make_unique<KafkaHome>(); };
  return {};
}

}  // namespace lungo::contract
