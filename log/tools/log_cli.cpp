#include "log_cli.hpp"

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include <lungo/log/check.hpp>
#include <lungo/log/log_text.hpp>

#include "log_adopt.hpp"
#include "log_backup.hpp"
#include "log_consume.hpp"
#include "log_copy.hpp"
#include "log_dump.hpp"
#include "log_produce.hpp"
#include "log_stat.hpp"
#include "log_topics.hpp"
#include "log_verify.hpp"
#include "stop_signals.hpp"

namespace lungo {
namespace {

constexpr const char* kProgram = "lungo log";
constexpr int kExitDiskFull = 75;  // EX_TEMPFAIL of sysexits.h: try again later

struct Arguments {
  ToolOptions tool;
  TopicsOptions topics;
  ProduceOptions produce;
  ConsumeOptions consume;
  DumpOptions dump;
  StatOptions stat;
  VerifyToolOptions verify;
  BackupToolOptions backup;
  RestoreToolOptions restore;
  CopyToolOptions copy;
};

void describe(CLI::App& app, Arguments& arguments) {
  app.add_option("--dir,--data", arguments.tool.directory, "The data directory")->type_name("DIR")->capture_default_str();
  app.add_flag("--json", arguments.tool.json, "One JSON object per line; of `produce` also of what it reads");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "Begin with:\n"
      "  lungo log topics create greetings --dir data\n"
      "  echo 'hello' | lungo log produce greetings --dir data\n"
      "  lungo log consume greetings --dir data\n"
      "`lungo log COMMAND --help` has the options, an example and what --json holds. topics list and describe, consume, dump, "
      "stat,\n"
      "verify and backup only read, beside a program that writes, as does copy --from; the others need the directory for "
      "themselves.\n"
      "Exit status: 0 done, or who reads the output has seen enough; 1 not there, damaged or failed, the reason is on stderr;\n"
      "2 wrong arguments; 75 the disk is full; 128 + N ended in good order by signal N before all was done. verify: 1 "
      "something "
      "is wrong;\n"
      "2 it could not be checked.");
  describe_topics(app, arguments.topics);
  describe_produce(app, arguments.produce);
  describe_consume(app, arguments.consume);
  describe_dump(app, arguments.dump);
  describe_stat(app, arguments.stat);
  describe_verify(app, arguments.verify);
  describe_backup(app, arguments.backup);
  describe_restore(app, arguments.restore);
  describe_copy(app, arguments.copy);
  describe_adopt(app);
}

/// The command that was reached, and those above it.
std::vector<const CLI::App*> path_of(const CLI::App& app) {
  std::vector<const CLI::App*> path{&app};
  while (!path.back()->get_subcommands().empty()) path.push_back(path.back()->get_subcommands().front());
  return path;
}

std::vector<std::string> options_of(const std::vector<const CLI::App*>& path) {
  std::vector<std::string> names;
  for (const CLI::App* app : path)
    for (const CLI::Option* option : app->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

/// What is better to say than CLI11 does: which word nobody knows, and which was meant. Empty when that is not what is wrong.
std::string unknown_word(const CLI::App& app, int argc, const char* const* argv) {
  const std::vector<const CLI::App*> path = path_of(app);
  const std::vector<std::string> options = options_of(path);
  for (int index = 1; index < argc; ++index) {
    const std::string word = std::string(argv[index]).substr(0, std::string(argv[index]).find('='));
    if (word == "--") break;
    if (!word.starts_with("--") || std::find(options.begin(), options.end(), word) != options.end()) continue;
    const std::optional<std::string> meant = nearest(word, options);
    return "no option " + printable(word) + (meant ? "; did you mean " + *meant + "?" : "");
  }
  std::vector<std::string> commands;
  for (const CLI::App* command : path.back()->get_subcommands({})) commands.push_back(command->get_name());
  if (commands.empty()) return {};
  for (const std::string& word : app.remaining(true)) {
    if (word.starts_with('-')) continue;
    return "no command " + printable(word) + near_names(word, commands);
  }
  return {};
}

int refuse(const CLI::App& app, const CLI::ParseError& refused, int argc, const char* const* argv) {
  if (refused.get_exit_code() == 0) return app.exit(refused);  // --help
  const std::string unknown = unknown_word(app, argc, argv);
  std::string command;
  for (const CLI::App* one : path_of(app)) command += (command.empty() ? "" : " ") + one->get_name();
  std::fprintf(stderr, "%s: %s\n`%s --help` says what it takes.\n", kProgram,
               (unknown.empty() ? printable(std::string_view{refused.what()}) : unknown).c_str(), command.c_str());
  return 2;
}

/// A reader keeps all segments open, and may.
void raise_open_files_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

Result<int> run(const CLI::App& app, const Arguments& arguments, const CopyParts& parts, Output& out) {
  const CLI::App* command = app.get_subcommands().front();
  const std::string& name = command->get_name();
  // A signal ends the others as it ends any program: they write nothing that is worth an orderly end.
  if (name == "produce") {
    StopSignals signals;
    return run_produce(arguments.tool, arguments.produce, signals, out);
  }
  if (name == "consume") {
    StopSignals signals;
    return run_consume(arguments.tool, arguments.consume, signals);
  }
  if (name == "copy") {
    StopSignals signals;
    return run_copy(arguments.tool, arguments.copy, parts, signals, out);
  }
  if (name == "dump") return run_dump(arguments.tool, arguments.dump, out);
  if (name == "verify") return run_verify(arguments.tool, arguments.verify, out);
  if (name == "backup") return run_backup(arguments.tool, arguments.backup, out);
  if (name == "restore") return run_restore(arguments.tool, arguments.restore, out);
  Result<void> done;
  if (name == "stat") {
    done = run_stat(arguments.tool, arguments.stat, out);
  } else if (name == "adopt") {
    done = run_adopt(arguments.tool, out);
  } else {
    done = run_topics(command->get_subcommands().front()->get_name(), arguments.tool, arguments.topics, out);
  }
  if (!done) return done.error();
  return 0;
}

int status_of(const Error& error, const CLI::App& app) {
  if (app.get_subcommands().front()->get_name() == "verify") return 2;
  if (error == Errc::invalid_argument) return 2;
  return error == Errc::no_space ? kExitDiskFull : 1;
}

}  // namespace

int run_log_tool(int argc, const char* const* argv, const CopyParts& parts) {
  hold_back_broken_pipes();
  raise_open_files_limit();
  log_to_stderr(Severity::warn);
  CLI::App app{"Topics and records of a Lungo data directory.", kProgram};
  Arguments arguments;
  describe(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& refused) {
    return refuse(app, refused, argc, argv);
  }
  Output out{stdout};
  Result<int> done = 0;
  try {
    done = run(app, arguments, parts, out);
  } catch (const std::exception&) {  // no memory, no thread
    done = Error{Errc::io, current_exception_text()};
  }
  if (!done) std::fprintf(stderr, "%s: %s\n", kProgram, printable(done.error()).c_str());
  if (!out.close(kProgram)) return 1;
  return done ? *done : status_of(done.error(), app);
}

}  // namespace lungo
