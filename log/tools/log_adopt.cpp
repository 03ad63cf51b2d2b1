#include "log_adopt.hpp"

#include <CLI/CLI.hpp>

#include <lungo/log/local_event_log.hpp>

#include "log_topics.hpp"

namespace lungo {

void describe_adopt(CLI::App& app) {
  CLI::App* adopt = app.add_subcommand("adopt", "Make a data directory of Lungo's of one that Apache Kafka wrote");
  adopt->footer(
      "Examples: lungo log adopt --dir /var/lib/kafka/data\n"
      "          cp -a --reflink=auto /var/lib/kafka/data copy && lungo log adopt --dir copy\n"
      "DIR is one of the broker's log.dirs, or a copy; the broker was stopped, or killed. Topics keep their ids, offsets and "
      "records.\n"
      "Their settings, which Kafka keeps elsewhere, do not come along: everything is kept until `lungo log topics alter` says\n"
      "otherwise. Two files are written, lungo.meta and lungo.topics; with the first append no broker may write here any "
      "more.\n"
      "Records of transactions are read whatever became of these; control records never are.\n"
      "--json: for each topic what `topics create` answers.");
}

Result<void> run_adopt(const ToolOptions& tool, Output& out) {
  const Result<std::vector<TopicInfo>> topics = adopt_kafka_directory(tool.directory);
  if (!topics) return topics.error();
  for (const TopicInfo& topic : *topics) {
    print_topic(topic, "adopted with " + counted(static_cast<std::uint64_t>(topic.spec.partitions), "partition"), tool.json,
                out);
  }
  return {};
}

}  // namespace lungo
