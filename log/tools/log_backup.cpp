#include "log_backup.hpp"

#include <CLI/CLI.hpp>

#include <lungo/log/backup.hpp>
#include <lungo/log/tool_directory.hpp>

#include "../storage_posix.hpp"
#include "../verify.hpp"
#include "progress.hpp"

namespace lungo {
namespace {

void print(const BackupReport& report, std::string_view what, const std::string& from, const std::string& to, bool json,
           Output& out) {
  for (const std::string& damage : report.damage) {
    std::fprintf(stderr, "damaged: %s\n", printable(std::string_view{damage}).c_str());
  }
  if (!json) {
    out.line(std::string(what) + " " + printable(from) + " to " + printable(to) + ": " +
             counted(report.partitions, "partition") + ", " + counted(report.records, "record") + ", " +
             counted(report.files, "file") + ", " + size_text(report.bytes) +
             (report.damage.empty() ? "" : "; " + counted(report.damage.size(), "damaged place")));
    return;
  }
  std::string line = "{\"from\":";
  append_json_string(printable(from), line);
  append_json_string(printable(to), line += ",\"to\":");
  line += ",\"partitions\":" + std::to_string(report.partitions) + ",\"records\":" + std::to_string(report.records) +
          ",\"files\":" + std::to_string(report.files) + ",\"bytes\":" + std::to_string(report.bytes) + ",\"damaged\":[";
  for (std::size_t i = 0; i < report.damage.size(); ++i) {
    if (i > 0) line += ",";
    append_json_string(printable(std::string_view{report.damage[i]}), line);
  }
  out.line(line + "]}");
}

}  // namespace

void describe_backup(CLI::App& app, BackupToolOptions& options) {
  CLI::App* backup = app.add_subcommand("backup", "Copy a data directory, also one that a program writes to");
  backup
      ->add_option("TO", options.directories,
                   "The new directory. In front of it may stand the data directory, instead of --dir")
      ->type_name("[DIR] TO")
      ->required()
      ->expected(1, 2);
  backup->add_flag("--snapshot", options.snapshot, "Give full segments a second name instead of copying them: same disk only");
  backup->footer(
      "Examples: lungo log backup data /backups/monday\n"
      "          lungo log backup --dir data --snapshot data-before-the-upgrade\n"
      "What was acknowledged before it began is in the copy, and of each partition nothing is left out in between. The program "
      "that\n"
      "writes goes on. TO is a data directory of its own: `lungo log consume --dir TO` reads it, `lungo log restore TO DIR` "
      "brings\n"
      "it back. Left out is what the next start makes anew: indexes, state stores. A backup that was cut off has no "
      "lungo.backup, and\n"
      "is not restored. Damaged places are copied as they are, and told on stderr.\n"
      "--json: {\"from\", \"to\", \"partitions\", \"records\", \"files\", \"bytes\", \"damaged\": [TEXT]}.\n"
      "Exit status 1 also when something is damaged: then it was copied all the same.");
}

Result<int> run_backup(const ToolOptions& tool, const BackupToolOptions& options, Output& out) {
  const std::string& from = options.directories.size() == 2 ? options.directories.front() : tool.directory;
  const std::string& to = options.directories.back();
  if (Result<void> checked = check_is_data_directory(from, "--dir"); !checked) return checked.error();
  const Result<std::uint64_t> bytes = bytes_to_verify(*make_posix_storage(), from, {});
  Progress progress{"copying " + printable(from), bytes ? 2 * *bytes : 0};  // each is looked at twice
  BackupOptions how;
  how.kind = options.snapshot ? BackupKind::hard_links : BackupKind::copy;
  how.read_some = [&progress](std::uint64_t more) { progress.add(more); };
  const Result<BackupReport> report = back_up(from, to, how);
  progress.clear();
  if (!report) return report.error();
  print(*report, "copied", from, to, tool.json, out);
  return report->damage.empty() ? 0 : 1;
}

void describe_restore(CLI::App& app, RestoreToolOptions& options) {
  CLI::App* restore = app.add_subcommand("restore", "Bring a backup back, and check that it is what was copied");
  restore->add_option("FROM", options.from, "A directory that `lungo log backup` has made")->required();
  restore->add_option("TO", options.to, "The data directory to be: a new one, or empty")->required();
  restore->footer(
      "Example: lungo log restore /backups/monday data\n"
      "Compares each file with what the backup says of it, and then checks all records; only after that TO is a data "
      "directory. One\n"
      "that has changed since, by a byte or a file more, is refused, and TO is left empty. The backup stays as it is. The "
      "first "
      "start in\n"
      "TO reads all records, as after a crash, and makes the indexes; state stores are made anew by a replay.\n"
      "--json: {\"from\", \"to\", \"partitions\", \"records\", \"files\", \"bytes\", \"damaged\": [TEXT]}.\n"
      "Exit status 1 also when something was damaged before it was copied: then the rest is restored.");
}

Result<int> run_restore(const ToolOptions& tool, const RestoreToolOptions& options, Output& out) {
  Progress progress{"restoring " + printable(options.to), 0};
  BackupOptions how;
  how.read_some = [&progress](std::uint64_t more) { progress.add(more); };
  const Result<BackupReport> report = restore(options.from, options.to, how);
  progress.clear();
  if (!report) return report.error();
  print(*report, "restored", options.from, options.to, tool.json, out);
  return report->damage.empty() ? 0 : 1;
}

}  // namespace lungo
