// A data directory with a live application, and the replay tool run on it in this process.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/local_event_log.hpp>
#include <lungo/projections/replay.hpp>
#include "tests/projections/shop_projections.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {

struct Ran {
  int status = 0;
  std::string out;
  std::string err;
};

/// Runs the tool on `data`, with the application's projections or as lungo-replay.
inline Ran run_replay(const std::string& data, std::vector<const char*> arguments, bool with_application = false) {
  ReplayTool tool{.program = "replay", .data = data, .add_projections = {}};
  if (with_application) {
    tool.add_projections = [](Engine& added) {
      added.add<TopPages>();
      added.add<Visitors>();
      added.add<EventCounts>();
    };
  }
  arguments.insert(arguments.begin(), "replay");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Ran ran;
  ran.status = run_replay_tool(tool, static_cast<int>(arguments.size()), arguments.data());
  std::fflush(stdout);
  ran.out = testing::internal::GetCapturedStdout();
  ran.err = testing::internal::GetCapturedStderr();
  return ran;
}

class ReplayToolTest : public testing::Test {
 protected:
  explicit ReplayToolTest(const std::string& place = {}) : data(place.empty() ? directory / "data" : place) {
    log = open_local(data).value();
    store.emplace(log);
    store->stream_topic("events", 2).value();
    engine.emplace(*store, sqlite("views.db"));
    engine->add<TopPages>();
    engine->add<Visitors>();
    engine->add<EventCounts>();
    engine->start().value();
    for (const char* url : {"/a", "/b", "/b"}) view(*store, "ann", url, 7).value();
    end_visit(*store, "ann").value();
    engine->catch_up(std::chrono::seconds{10}).value();
  }

  void close() {
    if (engine) engine->stop().value();
    engine.reset();
    store.reset();
    log.reset();
  }

  Ran run(std::vector<const char*> arguments, bool with_application = true) {
    return run_replay(data, std::move(arguments), with_application);
  }

  TempDirectory directory;
  const std::string data;
  std::shared_ptr<EventLog> log;
  std::optional<EventStore> store;
  std::optional<Engine> engine;
};

}  // namespace lungo::test
