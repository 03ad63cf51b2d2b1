// lungo: the one name to learn. `lungo replay status` runs `lungo-replay status`, found beside this program or on the PATH. The
// help names the tools that there are.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace {

constexpr const char* kHelp =
    "usage: lungo TOOL [ARGUMENTS]\n"
    "\n"
    "  log     topics and records of a data directory: topics, produce, consume, dump, stat, verify, backup, restore, copy,\n"
    "          adopt\n"
    "  replay  projections and events of a data directory: list, status, show, events, rebuild\n"
    "\n"
    "`lungo TOOL --help` says what a tool can do.\n";

/// The tool beside this program, otherwise its bare name, which execvp() looks for on the PATH.
std::string find_tool(const std::string& name) {
  std::error_code none;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", none);
  const std::filesystem::path beside = self.parent_path() / name;
  return !none && std::filesystem::exists(beside, none) ? beside.string() : name;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string tool = argc > 1 ? argv[1] : "--help";
  if (tool == "--help" || tool == "-h" || tool == "help") {
    std::fputs(kHelp, argc > 1 ? stdout : stderr);
    return argc > 1 ? 0 : 2;
  }
  if (tool.empty() || tool.find('/') != std::string::npos || tool.front() == '-') {
    std::fprintf(stderr, "lungo: '%s' is no tool\n%s", tool.c_str(), kHelp);
    return 2;
  }
  const std::string program = "lungo-" + tool;
  const std::string path = find_tool(program);
  std::vector<char*> arguments{const_cast<char*>(program.c_str())};
  for (int index = 2; index < argc; ++index) arguments.push_back(argv[index]);
  arguments.push_back(nullptr);
  ::execvp(path.c_str(), arguments.data());
  std::fprintf(stderr, "lungo: no tool '%s' (%s: %s)\n%s", tool.c_str(), program.c_str(), std::strerror(errno), kHelp);
  return 2;
}
