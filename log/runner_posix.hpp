// The Executor port on real threads: one named thread per activity.
//
// For PosixPorts and for tests. runner_posix.cpp is the only file in log/ that starts a thread; the threads block all signals,
// which stay the application's.
#pragma once

#include <memory>

#include <lungo/log/executor.hpp>

namespace lungo {

std::unique_ptr<Executor> make_thread_executor();

}  // namespace lungo
