// What the cases ask of a data directory's files and of the process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace lungo::bench {

/// All segments (.log files) below `directory`, in the order of their names.
std::vector<std::string> segments_below(const std::string& directory);
/// All files below `directory`.
std::vector<std::string> files_below(const std::string& directory);
/// Takes files out of the page cache, which nobody has open. Throws where it keeps one.
void drop_cache(const std::vector<std::string>& files);
/// MB/s of reading files and nothing else: what a scan can't be faster than.
double raw_read_rate(const std::vector<std::string>& files);

/// All files below a directory but its segments, as they were: what an opening changes after an unclean stop. With them back in
/// place it can be opened again as if for the first time.
class SmallFiles {
 public:
  explicit SmallFiles(std::string directory);
  void restore() const;

 private:
  std::string directory_;
  std::map<std::string, std::string> contents_;  // by path
};

/// Runs `work` in a child that ends without destroying anything, as a process that is killed does. Throws when `work` throws.
/// To be called while the process has one thread only.
void in_child_that_dies(const std::function<void()>& work);

/// Bytes of this process that are in memory now.
std::uint64_t resident_bytes();

}  // namespace lungo::bench
