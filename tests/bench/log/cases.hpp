// The cases of lungo-bench-log. Each takes an empty directory, prints its figures, and writes little enough that all of them
// together stay below 1 GiB: beyond that write-back throttling is what one measures.
#pragma once

#include <string>

namespace lungo::bench {

void append_500(const std::string& directory);
void append_one_waiting(const std::string& directory);
void append_one_async(const std::string& directory);
void append_1_kib(const std::string& directory);

void synced_latency(const std::string& directory);
void synced_one(const std::string& directory);
void synced_500(const std::string& directory);
void synced_64_threads(const std::string& directory);
void synced_64_outstanding(const std::string& directory);

void scan(const std::string& directory);
void recovery(const std::string& directory);
void partitions(const std::string& directory);
void paced(const std::string& directory);
void roll(const std::string& directory);
void streams(const std::string& directory);

}  // namespace lungo::bench
