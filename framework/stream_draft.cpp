#include <lungo/framework/stream_draft.hpp>

namespace lungo::detail {

void StreamDraft::keep() {
  if (state) kept->keep(stream, std::move(state));
}

void StreamDraft::keep_written(const Commit& written) {
  if (!state || written.repeated) return;  // what was written then is another decision's
  state->position.offset = written.end;
  state->position.epoch = written.epoch;
  keep();
}

}  // namespace lungo::detail
