#include "log_copy.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>

#include <lungo/log/tool_directory.hpp>

#include "progress.hpp"

namespace lungo {
namespace {

constexpr std::string_view kInternal = "__lungo_";
constexpr std::string_view kShapes = "__lungo_shapes";
/// Hold nothing but what a start makes again.
constexpr std::array<std::string_view, 3> kMadeAgain{"__lungo_parked", "__lungo_positions", "__lungo_snapshots"};
constexpr const char* kTrackersSecret = "tracker-secret";

/// Which topics of the source are copied, and which are not.
struct Chosen {
  std::set<std::string> taken;
  std::vector<std::string> made_again;
  std::vector<std::string> unknown;  // plain ones of a log elsewhere, which may be others'
};

/// Without names all of a directory's. A log elsewhere may be shared, so only streams and internal topics, whose names have the
/// application's there, are surely the application's.
Result<Chosen> choose(EventLog& from, const CopyToolOptions& options) {
  const Result<std::vector<TopicInfo>> topics = from.topics();
  if (!topics) return topics.error();
  Chosen chosen;
  for (const std::string& name : options.topics) {
    const Result<TopicInfo> topic = find_topic(from, name);
    if (!topic) return topic.error();
    chosen.taken.insert(name);
  }
  for (const TopicInfo& topic : *topics) {
    const std::string& name = topic.spec.name;
    if (chosen.taken.contains(name)) continue;
    const bool is_ours = topic.spec.streams || name.starts_with(kInternal) || !is_address(options.from);
    if (std::ranges::find(kMadeAgain, name) != kMadeAgain.end()) {
      chosen.made_again.push_back(name);
    } else if (name == kShapes || (options.topics.empty() && is_ours)) {
      chosen.taken.insert(name);
    } else if (options.topics.empty()) {
      chosen.unknown.push_back(name);
    }
  }
  return chosen;
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return printable(std::string_view{text});
}

RemoteAddress address_of(const CopyToolOptions& options, bool to_write) {
  return {to_write ? options.to : options.from, to_write, options.config_file, options.mirror};
}

Result<void> check_sides(const CopyToolOptions& options, const CopyParts& parts) {
  const bool reads_remote = is_address(options.from);
  const bool writes_remote = is_address(options.to);
  if (options.from.empty() && !(options.explain && writes_remote)) {
    return Error{Errc::invalid_argument, "--from is missing; only --explain with an address as --to does without it"};
  }
  if ((reads_remote || writes_remote) && !parts.open) return built_without_kafka();
  if (reads_remote && writes_remote) {
    return Error{
        Errc::unsupported,
        "both sides are Kafka; its own MirrorMaker copies from one cluster to another. One side of this copy is a data "
        "directory"};
  }
  std::error_code none;
  const bool is_one = !reads_remote && !writes_remote &&
                      (options.from == options.to || std::filesystem::equivalent(options.from, options.to, none));
  if (is_one) return Error{Errc::invalid_argument, "--from and --to are the same directory"};
  return {};
}

Result<std::shared_ptr<EventLog>> open_source(const CopyToolOptions& options, const CopyParts& parts) {
  if (is_address(options.from)) return parts.open(address_of(options, false));
  return open_to_look_at(options.from, "--from");
}

Result<std::shared_ptr<EventLog>> open_target(const CopyToolOptions& options, const CopyParts& parts) {
  if (is_address(options.to)) return parts.open(address_of(options, true));
  return open_or_make(options.to);
}

/// What a copy leaves behind, for a person.
void tell_what_stays(const CopyToolOptions& options, const Chosen& chosen) {
  if (!chosen.made_again.empty()) {
    std::fprintf(stderr, "not copied, as it is made again: %s\n", list_of(chosen.made_again).c_str());
  }
  if (!chosen.unknown.empty()) {
    std::fprintf(stderr, "not copied, as it may be another application's (--topic NAME copies it): %s\n",
                 list_of(chosen.unknown).c_str());
  }
  const std::string secret = options.from + "/" + kTrackersSecret;
  std::error_code none;
  if (!is_address(options.from) && std::filesystem::exists(secret, none)) {
    std::fprintf(stderr,
                 "not copied, as it is a file: %s; copy it by hand into the web tracker's directory (--data), or every visitor "
                 "and every file looks new there\n",
                 printable(std::string_view{secret}).c_str());
  }
}

void print_report(const CopyReport& report, std::int64_t checkpoints, const CopyToolOptions& options, bool json, Output& out) {
  const bool verified = !options.no_verify;
  if (json) {
    std::string line = "{\"from\":";
    append_json_string(printable(std::string_view{options.from}), line);
    append_json_string(printable(std::string_view{options.to}), line += ",\"to\":");
    line += ",\"topics\":" + std::to_string(report.topics) + ",\"records\":" + std::to_string(report.records) +
            ",\"foundThere\":" + std::to_string(report.found_there) + ",\"checkpoints\":" + std::to_string(checkpoints) +
            ",\"verified\":" + (verified ? "true" : "false") + "}";
    return out.line(line);
  }
  std::string line = "copied " + printable(std::string_view{options.from}) + " to " + printable(std::string_view{options.to}) +
                     ": " + counted(static_cast<std::uint64_t>(report.topics), "topic") + ", " +
                     counted(static_cast<std::uint64_t>(report.records), "record");
  if (report.found_there > 0) line += ", of which " + std::to_string(report.found_there) + " were there";
  if (checkpoints > 0) line += ", " + counted(static_cast<std::uint64_t>(checkpoints), "checkpoint") + " of processes";
  out.line(line + (verified ? "; both sides were compared" : ""));
}

std::string_view doing(CopyPhase phase) {
  switch (phase) {
    case CopyPhase::checking:
      return "looking at ";
    case CopyPhase::copying:
      return "copying ";
    case CopyPhase::verifying:
      return "comparing ";
  }
  return "";
}

/// Prints what would be done. A log elsewhere is not asked, as rights may be what is missing.
Result<void> explain(const ToolOptions& tool, const CopyToolOptions& options, const CopyParts& parts, Output& out) {
  std::vector<std::string> names = options.topics;
  const bool has_source = !options.from.empty();
  if (has_source && !is_address(options.from)) {
    Result<std::shared_ptr<EventLog>> from = open_source(options, parts);
    if (!from) return from.error();
    const Result<Chosen> chosen = choose(**from, options);
    if (!chosen) return chosen.error();
    names.assign(chosen->taken.begin(), chosen->taken.end());
    if (!tool.json) {
      out.line("topics: " + (names.empty() ? "none" : list_of(names)));
      if (!chosen->made_again.empty()) out.line("made again there: " + list_of(chosen->made_again));
    }
  } else if (!tool.json) {
    const std::string all = has_source ? "all streams of the application" : "all";
    out.line("topics: " + (names.empty() ? all : list_of(names)));
  }
  std::vector<std::string> rights;
  for (const bool to_write : {false, true}) {
    if (!is_address(to_write ? options.to : options.from)) continue;
    Result<std::vector<std::string>> needed = parts.rights(address_of(options, to_write), names);
    if (!needed) return needed.error();
    rights = std::move(*needed);
  }
  if (tool.json) {
    std::string line = "{\"topics\":[";
    for (std::size_t i = 0; i < names.size(); ++i)
      append_json_string(printable(std::string_view{names[i]}), line += i > 0 ? "," : "");
    line += "],\"rights\":[";
    for (std::size_t i = 0; i < rights.size(); ++i) append_json_string(rights[i], line += i > 0 ? "," : "");
    out.line(line + "]}");
    return {};
  }
  out.line("kept: key, value, headers, ids and time of each record, and the order in each partition");
  out.line("not kept: offsets, epochs, the borders of batches");
  if (!rights.empty()) out.line("rights, where the cluster asks for any (User:NAME is who logs in):");
  for (const std::string& right : rights) out.line("  " + right);
  return {};
}

}  // namespace

void describe_copy(CLI::App& app, CopyToolOptions& options) {
  CLI::App* copy = app.add_subcommand("copy", "Copy topics to another data directory, to Apache Kafka, or from there");
  copy->add_option("--from", options.from,
                   "A data directory, or kafka://HOST:PORT[,HOST:PORT]/APP; only --explain does without it")
      ->type_name("DIR|ADDRESS");
  copy->add_option("--to", options.to, "The same; a directory is made where there is none")
      ->type_name("DIR|ADDRESS")
      ->required();
  copy->add_option("--topic", options.topics,
                   "Only this one and the shapes of events; repeatable. Otherwise all of a directory, and of Kafka those with "
                   "streams")
      ->type_name("NAME")
      ->allow_extra_args(false);
  copy->add_option(
          "--kafka-config", options.config_file,
          "librdkafka's settings, a line name=value for each: security.protocol, sasl.password, ... Otherwise the file "
          "that LUNGO_KAFKA_CONFIG names")
      ->type_name("FILE");
  copy->add_option(
          "--mirror", options.mirror,
          "Where the copy of Kafka's topics lies through which they are read; APP-local unless said. It may be deleted "
          "afterwards")
      ->type_name("DIR");
  copy->add_flag("--no-verify", options.no_verify, "Do not read both sides again to compare them");
  copy->add_flag("--explain", options.explain,
                 "Only say what would be copied, and which rights that needs on Kafka; without --from "
                 "those of an application that writes the topics of --topic, or any");
  copy->footer(
      "Examples: lungo log copy --from data --to kafka://localhost:9092/shop\n"
      "          lungo log copy --from kafka://localhost:9092/shop --to data --topic events\n"
      "          lungo log copy --to kafka://localhost:9092/shop --topic events --explain\n"
      "Stop the application first: what comes while it is copied is left out, or refused. A copy that was cut off goes on "
      "where "
      "it\n"
      "stopped when it is given again. The target is empty or has what such a copy has written; anything else is refused, as "
      "is\n"
      "another number of partitions, since streams would move. Records keep key, value, headers and time; offsets are others.\n"
      "Processes go on where they were stopped. Left out is what a start makes again: positions of readers, parked events, "
      "and\n"
      "snapshots. The web tracker's secret is a file, tracker-secret, and goes along by hand.\n"
      "--json: {\"from\", \"to\", \"topics\", \"records\", \"foundThere\", \"checkpoints\", \"verified\"}; with --explain\n"
      "{\"topics\": [NAME], \"rights\": [COMMAND]}.");
}

Result<int> run_copy(const ToolOptions& tool, const CopyToolOptions& options, const CopyParts& parts, StopSignals& signals,
                     Output& out) {
  if (Result<void> checked = check_sides(options, parts); !checked) return checked.error();
  if (options.explain) {
    const Result<void> explained = explain(tool, options, parts, out);
    return explained ? Result<int>{0} : Result<int>{explained.error()};
  }
  const Result<std::shared_ptr<EventLog>> from = open_source(options, parts);
  if (!from) return from.error();
  const Result<Chosen> chosen = choose(**from, options);
  if (!chosen) return chosen.error();
  const Result<MovedOffsets> moved = parts.move_offsets ? parts.move_offsets(*from, chosen->taken) : MovedOffsets{};
  if (!moved) return moved.error();
  const Result<std::shared_ptr<EventLog>> to = open_target(options, parts);
  if (!to) return to.error();

  Progress progress{"reading " + printable(std::string_view{options.from}), 0,
                    [](std::uint64_t records) { return counted(records, "record"); }};
  CopyOptions how;
  how.takes = [&chosen](const TopicInfo& topic) { return chosen->taken.contains(topic.spec.name); };
  how.verify = !options.no_verify;
  how.marks = moved->marks;
  if (moved->finish) how.finish = [&moved, &to](const CopyReport& copied) { return moved->finish(*to, copied); };
  how.shared = {std::string(kShapes)};
  if (is_address(options.from))
    how.ack_level = TopicSpec{}.ack_level;  // Kafka acknowledges before it syncs, a directory need not
  if (is_address(options.to)) how.refuses = parts.refuses;
  how.progress = [&progress, &signals](const CopyProgress& now) {
    progress.at(std::string(doing(now.phase)) + printable(std::string_view{to_string(now.partition)}),
                static_cast<std::uint64_t>(now.offsets_done), static_cast<std::uint64_t>(now.offsets));
    return signals.received() == 0;
  };
  const Result<CopyReport> report = copy_log(**from, **to, how);
  progress.clear();
  if (!report && report.error() == Errc::canceled && signals.received() != 0) {
    std::fprintf(stderr, "stopped; the same command goes on where it stopped\n");
    return 128 + signals.received();
  }
  if (!report) return report.error();
  tell_what_stays(options, *chosen);
  print_report(*report, moved->count, options, tool.json, out);
  return 0;
}

}  // namespace lungo
