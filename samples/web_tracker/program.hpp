// web-tracker: takes in access logs and what pages send, keeps read models of them, serves a dashboard, rebuilds by replay.
//
// How a log elsewhere is opened is not known here: main() hands it in. Threads: the main thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <lungo/log/event_log.hpp>

namespace tracker {

/// What a user says of a log elsewhere.
struct RemoteLog {
  std::string address;      // kafka://HOST:PORT[,HOST:PORT][/APP]
  std::string config_file;  // empty: not given
  std::string directory;    // for what is kept on this machine
  std::string endpoint;     // where others reach this tracker, as they are told
};

/// Nothing: the program was built without logs elsewhere.
using OpenRemote = std::function<lungo::Result<std::shared_ptr<lungo::EventLog>>(const RemoteLog&)>;

/// Exit status: 0 done; 1 something failed, the reason is on stderr; 2 the arguments make no sense; 75 the disk is full: the
/// same command goes on where it stopped; 128 + N stopped in good order by signal N before the work was done.
int run_program(int argc, char** argv, const OpenRemote& open_remote);

}  // namespace tracker
