#include "log_verify.hpp"

#include <CLI/CLI.hpp>

#include <lungo/log/tool_directory.hpp>

#include "../runner_posix.hpp"
#include "../storage_posix.hpp"
#include "../verify.hpp"
#include "progress.hpp"

namespace lungo {
namespace {

constexpr std::size_t kPartitionsAtATime = 4;

std::string json_number(const std::optional<std::int64_t>& number) { return number ? std::to_string(*number) : "null"; }

std::optional<std::int64_t> value_of(const std::optional<Offset>& offset) {
  return offset ? std::optional{offset->value()} : std::nullopt;
}

std::string json_of(const Finding& finding) {
  std::string json = "{\"kind\":\"finding\",\"severity\":\"" + std::string(to_string(finding.severity)) + "\",\"partition\":";
  append_json_string(printable(finding.partition), json);
  append_json_string(printable(finding.file), json += ",\"file\":");
  const auto position =
      finding.position ? std::optional<std::int64_t>{static_cast<std::int64_t>(*finding.position)} : std::nullopt;
  json += ",\"position\":" + json_number(position) + ",\"bytes\":" + std::to_string(finding.bytes);
  json += ",\"from\":" + json_number(value_of(finding.from)) + ",\"end\":" + json_number(value_of(finding.end));
  append_json_string(printable(finding.what), json += ",\"what\":");
  return json + "}";
}

std::string json_of(const VerifyReport& sum) {
  const std::pair<std::string_view, std::uint64_t> numbers[] = {
      {"partitions", sum.partitions}, {"segments", sum.segments}, {"digests", sum.digests},
      {"batches", sum.batches},       {"records", sum.records},   {"bytes", sum.bytes},
      {"errors", sum.errors},         {"warnings", sum.warnings}, {"notes", sum.notes}};
  std::string json = "{\"kind\":\"sum\"";
  for (const auto& [name, number] : numbers) json += ",\"" + std::string(name) + "\":" + std::to_string(number);
  return json + "}";
}

std::string text_of(const VerifyReport& sum) {
  std::string text = counted(sum.partitions, "partition") + ", " + counted(sum.segments, "segment") + " (" +
                     counted(sum.digests, "digest") + "), " + counted(sum.records, "record") + ", " + size_text(sum.bytes) +
                     ": ";
  if (sum.is_fine()) return text + "nothing is wrong";
  return text + counted(sum.errors, "error") + ", " + counted(sum.warnings, "warning");
}

/// The directory, which may be given as the first name, and the topics, whose names hold no '/'.
std::pair<std::string, std::vector<std::string>> split(const ToolOptions& tool, const std::vector<std::string>& names) {
  const bool is_path = !names.empty() && names.front().find('/') != std::string::npos;
  if (is_path || (!names.empty() && check_is_data_directory(names.front(), "--dir"))) {
    return {names.front(), {names.begin() + 1, names.end()}};
  }
  return {tool.directory, names};
}

}  // namespace

void print_finding(const Finding& finding, bool json, Output& out) {
  out.line(json ? json_of(finding) : std::string(to_string(finding.severity)) + ": " + printable(text_of(finding)));
}

void describe_verify(CLI::App& app, VerifyToolOptions& options) {
  CLI::App* verify = app.add_subcommand("verify", "Check that what lies on disk is whole and fits together");
  verify
      ->add_option("TOPIC", options.names,
                   "Which; all when none is named. In front of them may stand the directory, instead of --dir")
      ->type_name("[DIR] [TOPIC...]");
  verify->footer(
      "Examples: lungo log verify --dir data\n"
      "          lungo log verify /backups/monday orders --json\n"
      "Reads every batch and its records, and compares with the digests of sealed segments, the indexes, the clean-stop marker "
      "and\n"
      "whatever else lies there. Changes nothing, and works beside a program that writes.\n"
      "A line for each finding: \"error\" when records are lost or in doubt (`lungo log consume --skip-damaged` reads the "
      "others,\n"
      "`lungo log restore` brings back a backup); \"warning\" when something is wrong that the program makes anew from the "
      "records\n"
      "after it is started again without its clean-stop marker; \"note\" when nothing is wrong. Last how much was looked at.\n"
      "--json: {\"kind\": \"finding\", \"severity\", \"partition\", \"file\", \"position\", \"bytes\", \"from\", \"end\" "
      "(offsets), "
      "\"what\"}, and\n"
      "{\"kind\": \"sum\", \"partitions\", \"segments\", \"digests\", \"batches\", \"records\", \"bytes\", \"errors\", "
      "\"warnings\", \"notes\"}.\n"
      "Exit status: 0 nothing is wrong; 1 something is; 2 it could not be checked.");
}

Result<int> run_verify(const ToolOptions& tool, const VerifyToolOptions& options, Output& out) {
  const auto [directory, topics] = split(tool, options.names);
  if (Result<void> checked = check_is_data_directory(directory, "--dir"); !checked) return checked.error();
  const std::unique_ptr<Storage> storage = make_posix_storage();
  VerifyOptions verify;
  verify.topics = topics;
  const Result<std::uint64_t> total = bytes_to_verify(*storage, directory, verify);
  if (!total) return total.error();
  Progress progress{"verifying " + printable(directory), *total};
  const std::unique_ptr<Executor> executor = make_thread_executor();
  verify.executor = executor.get();
  verify.width = kPartitionsAtATime;
  verify.read_some = [&progress](std::uint64_t bytes) { progress.add(bytes); };
  const Result<VerifyReport> report = verify_directory(*storage, directory, verify, [&](const Finding& finding) {
    progress.clear();
    print_finding(finding, tool.json, out);
  });
  if (!report) return report.error();
  progress.clear();
  out.line(tool.json ? json_of(*report) : text_of(*report));
  return report->is_fine() ? 0 : 1;
}

}  // namespace lungo
