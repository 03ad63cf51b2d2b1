// `lungo log topics`: create, list, describe, alter, delete. Threads: one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/printed.hpp>

#include "tool_log.hpp"

namespace CLI {
class App;
}

namespace lungo {

struct TopicsOptions {
  std::string name;
  std::vector<std::string> names;  // of describe: none means all
  std::optional<std::int32_t> partitions;
  bool streams = false;
  bool compact = false;
  std::vector<std::string> settings;
  bool yes = false;
};

void describe_topics(CLI::App& app, TopicsOptions& options);
/// `command` is the one that was given. Errors: what the log says; invalid_argument.
Result<void> run_topics(const std::string& command, const ToolOptions& tool, const TopicsOptions& options, Output& out);

/// Says what has become of the topic: "topic NAME done", or in JSON all about it.
void print_topic(const TopicInfo& topic, std::string_view done, bool json, Output& out);

/// What `create` makes. Errors: invalid_argument.
Result<TopicSpec> spec_of(const TopicsOptions& options);

}  // namespace lungo
