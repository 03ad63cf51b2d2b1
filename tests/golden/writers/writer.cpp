#include "tests/golden/writers/writer.hpp"

#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include <lungo/log/local_event_log.hpp>

namespace lungo::golden {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDataPath = "/data";  // on the simulated disk
constexpr std::string_view kLockFile = ".lock";
constexpr std::uint64_t kFileBytesMax = 1u << 20;

/// A file or directory of the disk into the real file system.
void copy_out(Storage& disk, const std::string& from, const fs::path& to) {
  fs::create_directories(to);
  for (const DirEntry& entry : disk.list(from).value()) {
    if (entry.name == kLockFile) continue;
    const std::string path = from + "/" + entry.name;
    if (entry.is_directory) {
      copy_out(disk, path, to / entry.name);
      continue;
    }
    const Bytes bytes = read_file(disk, path, kFileBytesMax).value();
    std::ofstream file(to / entry.name, std::ios::binary);
    file.write(as_text(bytes).data(), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) throw std::runtime_error("cannot write " + (to / entry.name).string());
  }
}

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Writer::Writer(std::string folder) : folder_(std::move(folder)) { copy_in(); }

void Writer::copy_in() {
  const fs::path data = fs::path(folder_) / "data";
  if (!fs::exists(data)) return;
  std::ifstream lines(fs::path(folder_) / "events.txt");
  std::pair<std::int32_t, std::int64_t> place;
  for (std::string rest; lines >> place.first >> place.second && std::getline(lines, rest);) lines_.emplace(place, rest);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(data)) {
    const std::string path = std::string(kDataPath) + "/" + fs::relative(entry.path(), data).string();
    make_directories_durably(machine_.disk, entry.is_directory() ? path : parent_directory(path)).value();
    if (entry.is_regular_file()) write_file_atomically(machine_.disk, path, as_bytes(text_of(entry.path()))).value();
  }
}

void Writer::open(std::int32_t partitions) {
  LocalOptions options;
  options.ports = &ports_;
  log_ = open_local(std::string(kDataPath), options).value();
  store_.emplace(log_);
  store_->stream_topic(kTopic, partitions).value();
}

EventStore& Writer::store() {
  if (!store_) open(1);
  machine_.clock.advance(std::chrono::seconds{1});
  return *store_;
}

void Writer::note(PartitionId partition, Offset offset, std::string_view stream, std::string_view type, std::string_view json) {
  lines_.emplace(std::pair{partition.value(), offset.value()},
                 " " + std::string(stream) + " " + std::string(type) + " " + std::string(json));
}

void Writer::save() {
  store_.reset();
  log_.reset();
  write_out();
}

void Writer::save_as_after_a_crash() { write_out(); }

void Writer::save_torn_segment(std::uint64_t missing_bytes) {
  const std::string path = std::string(kTopic) + "-0/00000000000000000000.log";
  const Bytes whole = read_file(machine_.disk, std::string(kDataPath) + "/" + path, kFileBytesMax).value();
  replace_file(path, as_text(whole).substr(0, whole.size() - missing_bytes));
}

void Writer::replace_file(std::string_view name, std::string_view text) {
  std::ofstream file(fs::path(folder_) / "data" / name, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + std::string(name));
}

void Writer::write_out() {
  saved_ = true;
  const fs::path folder{folder_};
  fs::remove_all(folder / "data");
  copy_out(machine_.disk, std::string(kDataPath), folder / "data");
  std::ofstream lines(folder / "events.txt", std::ios::binary);
  for (const auto& [place, line] : lines_) lines << place.first << " " << place.second << line << "\n";
  if (!lines.flush()) throw std::runtime_error("cannot write events.txt");
}

int write_directory(int argc, char** argv, void (*write)(Writer& out)) {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " FOLDER\n";
    return 1;
  }
  try {
    Writer out{argv[1]};
    write(out);
    if (!out.is_saved()) out.save();
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << argv[0] << ": " << failure.what() << "\n";
    return 1;
  }
}

}  // namespace lungo::golden
