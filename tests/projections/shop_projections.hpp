// The events and projections that the tests of the engine and of replay use: views of pages, and what they cost.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include <lungo/projections/engine.hpp>
#include "tests/support/random.hpp"

namespace lungo::test {

struct PageViewed {
  std::string url;
  std::string visitor;
  std::int32_t millis = 0;
};

struct VisitEnded {
  std::string visitor;
};

/// Rows that events of all partitions feed.
struct TopPages {
  using Events = events<PageViewed>;
  using Key = std::string;
  struct State {
    std::int64_t views = 0;
    std::int64_t millis = 0;
  };
  static std::string_view key(const Envelope&, const PageViewed& e) { return e.url; }
  static State evolve(State s, const PageViewed& e) {
    ++s.views;
    s.millis += e.millis;
    return s;
  }
  static State merge(State a, const State& b) { return {a.views + b.views, a.millis + b.millis}; }
};

/// Rows of one partition each, with a key that skips events and a nested field.
struct Visitors {
  using Events = events<PageViewed, VisitEnded>;
  struct Key {
    std::string visitor;
    std::int32_t partition = 0;
  };
  struct State {
    std::int64_t pages = 0;
    std::vector<std::string> seen;
    bool ended = false;
  };
  template <class E>
  static std::optional<Key> key(const Envelope& envelope, const E& e) {
    if (e.visitor.empty()) return std::nullopt;
    return Key{e.visitor, envelope.partition.value()};
  }
  static void evolve(State& s, const PageViewed& e) {
    ++s.pages;
    if (s.seen.size() < 5) s.seen.push_back(e.url);
  }
  static void evolve(State& s, const VisitEnded&) { s.ended = true; }
};

/// Counts every event once, by partition: compared with the log it shows a lost or doubled one.
struct EventCounts {
  using Events = events<PageViewed, VisitEnded>;
  using Key = std::int32_t;
  struct State {
    std::int64_t count = 0;
  };
  template <class E>
  static Key key(const Envelope& envelope, const E&) {
    return envelope.partition.value();
  }
  static void evolve(State& s, const PageViewed&) { ++s.count; }
  static void evolve(State& s, const VisitEnded&) { ++s.count; }
};

/// Fails on one event.
struct Explodes {
  using Events = events<PageViewed>;
  using Key = std::string;
  struct State {
    std::int64_t views = 0;
  };
  static Key key(const Envelope&, const PageViewed& e) { return e.url; }
  static State evolve(State s, const PageViewed& e) {
    if (e.url == "/explode") throw std::runtime_error("no page like this");
    ++s.views;
    return s;
  }
};

inline Result<Commit> view(EventStore& store, const std::string& visitor, const std::string& url, std::int32_t millis = 1) {
  return store.append("events", StreamId{"visit", visitor}, PageViewed{url, visitor, millis});
}

inline Result<Commit> end_visit(EventStore& store, const std::string& visitor) {
  return store.append("events", StreamId{"visit", visitor}, VisitEnded{visitor});
}

/// Appends `count` events of random visitors and pages in batches.
inline void append_random(EventStore& store, Random& random, std::size_t count) {
  while (count > 0) {
    EventBatch batch = store.batch("events").value();
    for (std::size_t left = std::min<std::size_t>(count, 200); left > 0; --left, --count) {
      const std::string visitor = "v" + std::to_string(random.below(300));
      const StreamId stream{"visit", visitor};
      if (random.one_in(10)) {
        batch.add(stream, VisitEnded{visitor}).value();
      } else {
        batch
            .add(stream, PageViewed{"/page/" + std::to_string(random.below(50)), visitor,
                                    static_cast<std::int32_t>(random.below(1000))})
            .value();
      }
    }
    store.append_wait(std::move(batch)).value();
  }
}

}  // namespace lungo::test
