#include "files.hpp"

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "harness.hpp"
#include "raw_file.hpp"

namespace lungo::bench {
namespace {

std::vector<std::string> files_below(const std::string& directory, const std::function<bool(bool is_segment)>& wanted) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file() && wanted(entry.path().extension() == ".log")) paths.push_back(entry.path().string());
  }
  std::ranges::sort(paths);
  return paths;
}

std::vector<std::string> others_below(const std::string& directory) {
  return files_below(directory, [](bool is_segment) { return !is_segment; });
}

}  // namespace

std::vector<std::string> segments_below(const std::string& directory) {
  return files_below(directory, [](bool is_segment) { return is_segment; });
}

std::vector<std::string> files_below(const std::string& directory) {
  return files_below(directory, [](bool) { return true; });
}

void drop_cache(const std::vector<std::string>& files) {
  for (const std::string& path : files) RawFile(path).drop_cache();
}

double raw_read_rate(const std::vector<std::string>& files) {
  std::uint64_t bytes = 0;
  const double seconds = seconds_of([&] {
    for (const std::string& path : files) bytes += RawFile(path).read([](BytesView piece) { return piece.size(); });
  });
  return static_cast<double>(bytes) / seconds / 1e6;
}

SmallFiles::SmallFiles(std::string directory) : directory_(std::move(directory)) {
  for (const std::string& path : others_below(directory_)) {
    std::ifstream file(path, std::ios::binary);
    contents_[path].assign(std::istreambuf_iterator<char>(file), {});
  }
}

void SmallFiles::restore() const {
  for (const std::string& path : others_below(directory_)) std::filesystem::remove(path);
  for (const auto& [path, content] : contents_) std::ofstream(path, std::ios::binary) << content;
}

void in_child_that_dies(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    try {
      work();
      _exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      _exit(1);
    }
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) throw std::runtime_error("the child failed");
}

std::uint64_t resident_bytes() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace lungo::bench
