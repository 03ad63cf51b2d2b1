#include "append_callbacks.hpp"

#include <lungo/log/check.hpp>

#include "base/logger.hpp"

namespace lungo {

namespace {

thread_local int callbacks_running = 0;

}  // namespace

bool inside_callback() { return callbacks_running > 0; }

InsideCallback::InsideCallback() { ++callbacks_running; }
InsideCallback::~InsideCallback() { --callbacks_running; }

void run(const Completion& completion, Result<Appended> outcome) {
  const InsideCallback inside;
  try {
    completion(std::move(outcome));
  } catch (...) {
    try {
      logger()->error("a completion threw, which it must not: {}", current_exception_text());
    } catch (...) {  // no memory to say so
    }
  }
}

}  // namespace lungo
