#include "log_topics.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>

#include "../setting_table.hpp"
#include "../topics_file.hpp"
#include "topic_settings.hpp"

namespace lungo {
namespace {

std::string settings_json(const TopicSpec& spec) {
  std::string json = "{";
  for (const Setting& setting : settings_of(spec)) {
    if (json.size() > 1) json += ',';
    append_json_string(setting.name, json);
    json += ':';
    switch (setting.kind) {
      case Setting::Kind::absent:
        json += "null";
        break;
      case Setting::Kind::number:
        json += setting.value;
        break;
      case Setting::Kind::word:
        append_json_string(setting.value, json);
        break;
    }
  }
  return json + "}";
}

std::string kind_of(const TopicSpec& spec) {
  if (spec.streams) return spec.compact ? "streams, compact" : "streams";
  return spec.compact ? "compact" : "plain";
}

Result<std::vector<Ends>> ends_of(EventLog& log, const TopicSpec& spec) {
  std::vector<Ends> all;
  for (std::int32_t number = 0; number < spec.partitions; ++number) {
    Result<Ends> ends = log.ends({spec.name, PartitionId{number}});
    if (!ends) return ends.error();
    all.push_back(*ends);
  }
  return all;
}

/// Of each partition: what is known to be damaged, as text or for JSON; empty where nothing is.
std::vector<std::string> damage_of(EventLog& log, const TopicSpec& spec, bool json) {
  std::vector<std::string> all;
  for (std::int32_t number = 0; number < spec.partitions; ++number) {
    std::string text;
    for (const DamagedRange& range : log.damage({spec.name, PartitionId{number}})) {
      const std::string from = std::to_string(range.from.value());
      const std::string end = std::to_string(range.end.value());
      if (!text.empty()) text += json ? "," : ", ";
      text += json ? R"({"from":)" + from + R"(,"end":)" + end + "}" : from + " to " + end;
    }
    all.push_back(std::move(text));
  }
  return all;
}

bool is_the_frameworks(std::string_view topic) { return topic.starts_with("__lungo_"); }

Result<void> create(const ToolOptions& tool, const TopicsOptions& options, Output& out) {
  Result<TopicSpec> spec = spec_of(options);
  if (!spec) return spec.error();
  if (is_the_frameworks(spec->name) && !options.yes)
    return Error{Errc::invalid_argument,
                 "names that begin with __lungo_ are for the framework, which makes its topics itself; "
                 "choose another one, or say --yes to make " +
                     spec->name + " all the same"};
  Result<std::shared_ptr<EventLog>> log = open_or_make(tool.directory);
  if (!log) return log.error();
  const Result<TopicInfo> there = (*log)->topic(spec->name);
  if (there) {
    const std::string other = difference(there->spec, *spec, SettingStyle::user);
    if (!other.empty())
      return Error{Errc::already_exists,
                   "topic " + spec->name + " is there with " + other + "; `lungo log topics alter` changes topics"};
  }
  Result<TopicInfo> made = (*log)->create_topic(*spec);
  if (!made) return made.error();
  const std::string with = "with " + counted(static_cast<std::uint64_t>(made->spec.partitions), "partition");
  print_topic(*made, there ? "is there already, " + with + " and these settings" : "created " + with, tool.json, out);
  return {};
}

Result<void> list(const ToolOptions& tool, Output& out) {
  Result<std::shared_ptr<EventLog>> log = open_to_read(tool.directory);
  if (!log) return log.error();
  Result<std::vector<TopicInfo>> topics = (*log)->topics();
  if (!topics) return topics.error();
  bool first = true;
  for (const TopicInfo& topic : *topics) {
    Result<std::vector<Ends>> ends = ends_of(**log, topic.spec);
    if (!ends && ends.error() == Errc::not_found) continue;  // deleted meanwhile
    if (!ends) return ends.error();
    std::int64_t offsets = 0;
    for (const Ends& one : *ends) offsets += one.committed - one.start;
    PrintedLine line;
    line.add("topic", topic.spec.name);
    line.add("partitions", topic.spec.partitions);
    line.add("kind", kind_of(topic.spec));
    line.add("offsets", offsets);
    if (std::exchange(first, false) && !tool.json) line.print_names(out);
    line.print(out, tool.json);
  }
  if (first && !tool.json) out.line("no topics; `lungo log topics create NAME` makes one");
  return {};
}

void print_description(const TopicInfo& topic, const std::vector<Ends>& ends, const std::vector<std::string>& damage, bool json,
                       Output& out) {
  if (!json) {
    out.line("topic " + topic.spec.name);
    out.line("  id " + to_string(topic.id));
    out.line("  kind " + kind_of(topic.spec));
    out.line("  partitions " + std::to_string(topic.spec.partitions));
    for (const Setting& setting : settings_of(topic.spec)) out.line("  " + setting.name + "=" + setting.value);
  }
  std::string partitions;
  for (std::size_t number = 0; number < ends.size(); ++number) {
    const std::string start = std::to_string(ends[number].start.value());
    const std::string end = std::to_string(ends[number].committed.value());
    if (json) {
      partitions += (partitions.empty() ? "" : ",");
      partitions += "{\"partition\":" + std::to_string(number) + ",\"start\":" + start + ",\"end\":" + end;
      if (!damage[number].empty()) partitions += R"(,"damaged":[)" + damage[number] + "]";
      partitions += "}";
    } else {
      const std::string damaged = damage[number].empty() ? "" : "; damaged: " + damage[number];
      out.line("  partition " + std::to_string(number) + ": offsets " + start + " to " + end + damaged);
    }
  }
  if (!json) return;
  PrintedLine line;
  line.add("topic", topic.spec.name);
  line.add("id", to_string(topic.id));
  line.add("kind", kind_of(topic.spec));
  line.add_json("settings", settings_json(topic.spec));
  line.add_json("partitions", "[" + partitions + "]");
  line.print(out, true);
}

Result<void> describe(const ToolOptions& tool, const TopicsOptions& options, Output& out) {
  Result<std::shared_ptr<EventLog>> log = open_to_read(tool.directory);
  if (!log) return log.error();
  const Result<std::vector<TopicInfo>> topics = find_topics(**log, options.names);
  if (!topics) return topics.error();
  for (const TopicInfo& topic : *topics) {
    Result<std::vector<Ends>> ends = ends_of(**log, topic.spec);
    if (!ends && ends.error() == Errc::not_found && options.names.empty()) continue;  // deleted meanwhile
    if (!ends) return ends.error();
    print_description(topic, *ends, damage_of(**log, topic.spec, tool.json), tool.json, out);
  }
  return {};
}

Result<void> alter(const ToolOptions& tool, const TopicsOptions& options, Output& out) {
  TopicChange change;
  for (const std::string& setting : options.settings) {
    if (Result<void> done = set(change, setting); !done) return done;
  }
  if (options.settings.empty() && !options.partitions)
    return Error{Errc::invalid_argument, "nothing to change; give --set NAME=VALUE or --partitions N"};
  if (is_the_frameworks(options.name) && !options.yes)
    return Error{Errc::invalid_argument, "topic " + options.name +
                                             " is the framework's, which made it as it needs it; say --yes to "
                                             "change it all the same"};
  Result<std::shared_ptr<EventLog>> log = open_to_write(tool.directory);
  if (!log) return log.error();
  Result<TopicInfo> topic = find_topic(**log, options.name);
  if (!topic) return topic.error();
  // All or nothing, as far as what was asked for is what is wrong.
  if (const Result<TopicSpec> wanted = changed(topic->spec, change); !wanted) return wanted.error();
  if (options.partitions) topic = (*log)->add_partitions(options.name, *options.partitions);
  if (topic && !options.settings.empty()) topic = (*log)->alter_topic(options.name, change);
  if (!topic) return topic.error();
  print_topic(*topic, "changed", tool.json, out);
  return {};
}

Result<void> remove(const ToolOptions& tool, const TopicsOptions& options, Output& out) {
  // Without the framework's own topics the records of the others can't be read.
  const bool is_internal = is_the_frameworks(options.name);
  if (!options.yes && (is_internal || ::isatty(STDIN_FILENO) == 1))
    return Error{Errc::invalid_argument, "this deletes topic " + options.name +
                                             (is_internal ? ", which the framework needs," : "") +
                                             " and all its records for good; say --yes"};
  Result<std::shared_ptr<EventLog>> log = open_to_write(tool.directory);
  if (!log) return log.error();
  Result<TopicInfo> topic = find_topic(**log, options.name);
  if (!topic) return topic.error();
  if (Result<void> deleted = (*log)->delete_topic(options.name); !deleted) return deleted;
  print_topic(*topic, "deleted", tool.json, out);
  return {};
}

}  // namespace

void print_topic(const TopicInfo& topic, std::string_view done, bool json, Output& out) {
  PrintedLine line;
  line.add("topic", topic.spec.name);
  line.add("id", to_string(topic.id));
  line.add("partitions", topic.spec.partitions);
  line.add("kind", kind_of(topic.spec));
  line.add_json("settings", settings_json(topic.spec));
  if (json) {
    line.print(out, true);
  } else {
    out.line("topic " + topic.spec.name + " " + std::string(done));
  }
}

Result<TopicSpec> spec_of(const TopicsOptions& options) {
  TopicSpec spec{.name = options.name, .streams = options.streams, .compact = options.compact};
  if (options.partitions) spec.partitions = *options.partitions;
  for (const std::string& setting : options.settings) {
    if (Result<void> done = set(spec, setting); !done) return done.error();
  }
  return spec;
}

void describe_topics(CLI::App& app, TopicsOptions& options) {
  CLI::App* topics = app.add_subcommand("topics", "Create, list, describe, alter and delete topics");
  topics->require_subcommand(1);

  CLI::App* create = topics->add_subcommand("create", "Make a topic, and the data directory where there is none");
  create->add_option("NAME", options.name, "a-z A-Z 0-9 . _ -")->required();
  create->add_option("--partitions", options.partitions, "How many; each keeps its own order")
      ->type_name("N")
      ->default_str("4");
  create->add_flag("--streams,--stream", options.streams,
                   "Records with a key are streams: found by key, appended under conditions; what the framework's events need");
  create->add_flag("--compact", options.compact, "Only the last record of each key has to stay; each record needs a key");
  create->add_option("--set", options.settings, "A setting; may be given again")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  create->add_flag("--yes", options.yes, "Also a __lungo_ topic, which is the framework's to make");
  create->footer("Settings:\n" + settings_help() +
                 "\nExample: lungo log topics create orders --partitions 2 --set retention.ms=604800000 --dir data\n"
                 "A topic that is there with the same settings is left as it is.\n"
                 "--json: {\"topic\", \"id\", \"partitions\", \"kind\", \"settings\": {name: value, null for none}}");

  topics->add_subcommand("list", "The topics of a data directory")
      ->footer(
          "Example: lungo log topics list --dir data\n"
          "--json: {\"topic\", \"partitions\", \"kind\", \"offsets\": ends minus starts, so records and what was compacted "
          "away}");

  CLI::App* describe = topics->add_subcommand("describe", "Settings, partitions and offsets of topics");
  describe->add_option("NAME", options.names, "Which; all when none is named");
  describe->footer(
      "Example: lungo log topics describe orders --dir data\n"
      "A partition's offsets begin at start and end before end, the next one to be written. Of records that are known to be\n"
      "damaged the ranges are told likewise, which `consume --skip-damaged` leaves out.\n"
      "--json: {\"topic\", \"id\", \"kind\", \"settings\", \"partitions\": [{\"partition\", \"start\", \"end\", and where "
      "something is\n"
      "damaged \"damaged\": [{\"from\", \"end\"}]}]}");

  CLI::App* alter = topics->add_subcommand("alter", "Change settings, or add partitions");
  alter->add_option("NAME", options.name, "The topic")->required();
  alter->add_option("--set", options.settings, "A setting; may be given again")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  alter->add_option("--partitions", options.partitions, "To have so many: more, never fewer, and not of a stream topic")
      ->type_name("N");
  alter->add_flag("--yes", options.yes, "Also a __lungo_ topic, which the framework made as it needs it");
  alter->footer("Settings:\n" + settings_help() +
                "\nExample: lungo log topics alter orders --set retention.bytes=1073741824 --set segment.ms=none\n"
                "With more partitions keys go to other ones from then on. --json: as create");

  CLI::App* remove = topics->add_subcommand("delete", "Delete a topic with all its records");
  remove->add_option("NAME", options.name, "The topic")->required();
  remove->add_flag("--yes", options.yes, "Really; needed where standard input is a terminal, and for __lungo_ topics");
  remove->footer("Example: lungo log topics delete orders --yes\n--json: as create, of what was deleted");
}

Result<void> run_topics(const std::string& command, const ToolOptions& tool, const TopicsOptions& options, Output& out) {
  if (command == "create") return create(tool, options, out);
  if (command == "list") return list(tool, out);
  if (command == "describe") return describe(tool, options, out);
  if (command == "alter") return alter(tool, options, out);
  return remove(tool, options, out);
}

}  // namespace lungo
