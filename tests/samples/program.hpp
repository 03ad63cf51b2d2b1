// Runs the tracker's program as a user does: as a process of its own, with what it prints in files.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temp_directory.hpp"

namespace lungo::test {

inline std::string text_of(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A program that runs; killed when the object goes, or the thread that made it, which includes that this process is killed.
class Program {
 public:
  explicit Program(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const std::string out = output_ / "out";
    const std::string err = output_ / "err";
    const pid_t test = ::getpid();
    process_ = ::fork();
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != test) ::_exit(127);  // it was too late for that
      redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
      redirect(STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT);
      redirect(STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
  }
  ~Program() {
    if (process_ <= 0) return;
    send(SIGKILL);
    wait();
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(int signal) const {
    if (process_ > 0) ::kill(process_, signal);
  }
  /// Exit status, or 128 + signal. Blocks until the program is gone.
  int wait() {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = 0;
    return status_of(status);
  }
  /// True while it runs.
  bool is_running() {
    if (process_ <= 0) return false;
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) == 0) return true;
    process_ = 0;
    ended_with_ = status_of(status);
    return false;
  }
  [[nodiscard]] int ended_with() const { return ended_with_; }
  [[nodiscard]] std::string out() const { return text_of(output_ / "out"); }
  [[nodiscard]] std::string err() const { return text_of(output_ / "err"); }

 private:
  static void redirect(int descriptor, const char* path, int flags) {
    const int opened = ::open(path, flags, 0600);
    ::dup2(opened, descriptor);
    ::close(opened);
  }
  static int status_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

  TempDirectory output_;
  pid_t process_ = 0;
  int ended_with_ = -1;
};

struct Finished {
  int status = 0;
  std::string out;
  std::string err;
};

inline Finished run(const std::vector<std::string>& command) {
  Program program{command};
  const int status = program.wait();
  return {status, program.out(), program.err()};
}

/// Waits for something another process does.
template <class Predicate>
bool eventually(Predicate&& holds) {
  for (int tries = 0; tries < 600; ++tries) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  return false;
}

}  // namespace lungo::test
