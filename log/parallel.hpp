// Doing many pieces of work several at a time: those that wait for the disk more than they work.
//
// As activities of the Executor, so that a simulation runs them in an order that its seed chooses. Threads: the caller waits,
// the jobs run on others.
#pragma once

#include <cstddef>
#include <functional>

#include <lungo/log/executor.hpp>

namespace lungo {

/// Calls job(0) to job(count - 1), once each, at most `width` of them at a time, and returns when all have returned. Where
/// there is nothing to run beside each other, on the calling thread. When a job throws, those that were not begun are left out,
/// and the first exception is thrown here.
void run_in_parallel(Executor& executor, std::size_t width, std::size_t count, const std::function<void(std::size_t)>& job);

}  // namespace lungo
