// lungo-log where it was built without Kafka: topics and records of a data directory; `lungo log` runs it.
#include <lungo/framework/moved_checkpoints.hpp>

#include "log_cli.hpp"

int main(int argc, char** argv) { return lungo::run_log_tool(argc, argv, {.move_offsets = lungo::move_checkpoints}); }
