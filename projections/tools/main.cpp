// lungo-replay: looks at any data directory; `lungo replay` runs it.
#include <lungo/projections/replay.hpp>

int main(int argc, char** argv) { return lungo::run_replay_tool({.program = "lungo-replay"}, argc, argv); }
