#include <iostream>
#include <lungo/framework/aggregates.hpp>
#include <lungo/log/local_event_log.hpp>
#include <lungo/projections/engine.hpp>

struct Viewed {  // an event is a plain struct
  std::string visitor;
};
struct Page {  // a fold: with decide it answers commands, with key its states are rows of a SQLite table
  using Events = lungo::events<Viewed>;
  using Key = std::string;
  struct State {
    std::int64_t views = 0;
  };
  static State evolve(State s, const Viewed&) { return {s.views + 1}; }
  static Viewed decide(const State&, const std::string& visitor) { return {visitor}; }
  static Key key(const lungo::Envelope&, const Viewed& e) { return e.visitor; }
};

int main() {  // run it twice: it goes on counting
  lungo::EventStore store{lungo::open_local("quickstart-data").value()};
  lungo::Engine engine{store, lungo::sqlite("views.db")};
  auto& by_visitor = engine.add<Page>();
  engine.start().value();
  lungo::Aggregates<Page> pages{store};
  const lungo::Commit commit = pages.execute("espresso", std::string("ada")).value();
  std::cout << "espresso was viewed " << pages.load("espresso").value().state.views << " times, ada viewed "
            << by_visitor.get("ada", lungo::at_least(commit)).value()->views << " pages\n";
}
