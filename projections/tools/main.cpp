// lungo-replay: looks at any data directory; `lungo replay` runs it. With --app PATH it becomes that application's own tool,
// `PATH replay ...`, which has the projections' code.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include <lungo/projections/replay.hpp>

int main(int argc, char** argv) {
  constexpr std::string_view kApp = "--app";
  char* application = nullptr;
  char replay[] = "replay";
  std::vector<char*> others;
  for (int index = 1; index < argc; ++index) {
    const std::string_view argument = argv[index];
    if (argument == "--") {
      others.insert(others.end(), argv + index, argv + argc);
      break;
    }
    if (argument == kApp && index + 1 < argc) {
      application = argv[++index];
    } else if (argument.starts_with("--app=")) {
      application = argv[index] + kApp.size() + 1;
    } else {
      others.push_back(argv[index]);
    }
  }
  if (application == nullptr) return lungo::run_replay_tool({.program = "lungo-replay"}, argc, argv);

  others.insert(others.begin(), {application, replay});
  others.push_back(nullptr);
  ::execvp(application, others.data());
  std::fprintf(stderr, "lungo-replay: the application %s: %s\n", application, std::strerror(errno));
  return 1;
}
