// Where processes go on in a copy of their log (log/copy.hpp): their checkpoints hold offsets of inputs and outputs, and those
// are others there.
//
//   Result<MovedOffsets> moved = move_checkpoints(from, {"events", "sessions", "__lungo_shapes"});
//   copy_log(*from, *to, {.marks = moved->marks, .finish = [&](const CopyReport& copied) { return moved->finish(to, copied);
//   }})
//
// A checkpoint that is left behind would cost more than a replay: the process would handle all inputs again and write every
// output twice, as the ids of outputs name the offsets of inputs. One that is moved gives ids on from those of the source, so
// that none comes twice where offsets are smaller.
//
// Promise: the process goes on in the copy as it would in the source. That needs a source that was stopped in good order: what
// a process has written behind its last checkpoint only the source can tell apart. This is looked for before anything is
// copied, and again in what was copied. Not looked for are events of other topics that commands became, where a timer has sent
// those and the process was killed at once. Threads: one.
#pragma once

#include <memory>
#include <set>
#include <string>

#include <lungo/log/copy.hpp>

namespace lungo {

/// Of the processes whose inputs and outputs are in `topics`. Errors: conflict for one that has written, or that sends commands
/// and has not handled inputs, behind its checkpoint (offset() = the record); unsupported for a checkpoint that is too old to
/// tell; both go away when the application is started and stopped. As EventLog::validate() and read().
Result<MovedOffsets> move_checkpoints(const std::shared_ptr<EventLog>& from, const std::set<std::string>& topics);

}  // namespace lungo
