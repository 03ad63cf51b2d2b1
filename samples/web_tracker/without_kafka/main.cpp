// web-tracker where it was built without Kafka.
#include "program.hpp"

int main(int argc, char** argv) { return tracker::run_program(argc, argv, {}); }
