// Executor::start() for those who answer with a Result. Threads: any.
#pragma once

#include <memory>
#include <string>
#include <system_error>

#include <lungo/log/executor.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

/// Errors: io, when the system has no thread left.
inline Result<std::unique_ptr<RunningActivity>> start_activity(Executor& executor, Activity& activity) {
  try {
    return executor.start(activity);
  } catch (const std::system_error& refused) {
    return Error{Errc::io, std::string(activity.name()) + ": no thread could be started: " + refused.code().message()};
  }
}

}  // namespace lungo
