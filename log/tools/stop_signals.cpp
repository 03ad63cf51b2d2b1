#include "stop_signals.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <system_error>

namespace lungo {
namespace {

constexpr std::size_t kPieceBytes = 4096;  // what a pipe takes without blocking when poll() says that it takes any

}  // namespace

void hold_back_broken_pipes() {
  sigset_t broken_pipes;
  sigemptyset(&broken_pipes);
  sigaddset(&broken_pipes, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipes, nullptr);
}

StopSignals::StopSignals() {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ours, number);
  pthread_sigmask(SIG_BLOCK, &ours, nullptr);
  signals_ = ::signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
}

StopSignals::~StopSignals() { ::close(signals_); }

int StopSignals::received() {
  signalfd_siginfo signal{};
  if (received_ == 0 && ::read(signals_, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal))
    received_ = static_cast<int>(signal.ssi_signo);
  return received_;
}

StopSignals::Ready StopSignals::wait(int file, short events, int output, Duration at_most) {
  const Instant deadline = std::chrono::steady_clock::now() + std::min<Duration>(at_most, std::chrono::hours{1});
  for (;;) {
    if (received() != 0) return Ready::stopped;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd files[] = {{signals_, POLLIN, 0}, {file, events, 0}, {output, 0, 0}};
    const int ready = ::poll(files, 3, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
    if (ready > 0 && files[0].revents == 0) return files[2].revents == 0 ? Ready::yes : Ready::gone;
    if (ready == 0) return Ready::no;
  }
}

StopSignals::Ready StopSignals::wait_for_input(int file, Duration at_most) { return wait(file, POLLIN, -1, at_most); }
StopSignals::Ready StopSignals::wait_beside_output(int file, Duration at_most) {
  return wait(file, POLLIN, STDOUT_FILENO, at_most);
}
StopSignals::Ready StopSignals::wait_for_room() {
  const Ready ready = wait(STDOUT_FILENO, POLLOUT, -1, Duration::max());
  if (ready != Ready::stopped) return ready;
  // Whole lines go out after a signal too, as long as somebody takes them.
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&output, 1, 1000) > 0 ? Ready::yes : Ready::stopped;
}

void StoppableOutput::line(std::string_view text) {
  kept_ += text;
  kept_ += '\n';
}

int StoppableOutput::flush() {
  std::string_view rest{kept_};
  while (failure_ == 0 && !rest.empty()) {
    const StopSignals::Ready ready = signals_.wait_for_room();
    if (ready == StopSignals::Ready::stopped) break;
    if (ready == StopSignals::Ready::no) continue;
    const std::string_view piece = rest.substr(0, kPieceBytes);
    errno = 0;
    if (std::fwrite(piece.data(), 1, piece.size(), stdout) != piece.size() || std::fflush(stdout) != 0)
      failure_ = errno != 0 ? errno : EIO;
    rest.remove_prefix(piece.size());
  }
  kept_.clear();
  return failure_;
}

}  // namespace lungo
