#include "tests/support/sim_disk.hpp"

#include <algorithm>
#include <lungo/log/check.hpp>

namespace lungo::test {

namespace {

Error absent(const std::string& path) { return Error{Errc::not_found, path + ": no such file or directory"}; }

/// Calls `visit` with each name on the way to `path`.
template <class Visit>
void for_each_name(std::string_view path, Visit visit) {
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (!name.empty() && name != ".") visit(name);
  }
}

}  // namespace

// ---- open files and locks ----

class SimDisk::SimFile : public File {
 public:
  SimFile(SimDisk& disk, NodeId node, std::string path) : disk_(disk), node_(node), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) override {
    const std::lock_guard lock(disk_.mutex_);
    if (dead()) return disk_.off_error(path_);
    return disk_.read(node_, path_, position, out);
  }
  Result<void> write_at(std::uint64_t position, BytesView bytes) override {
    const std::lock_guard lock(disk_.mutex_);
    if (dead()) return disk_.off_error(path_);
    return disk_.write(node_, path_, position, bytes);
  }
  Result<void> sync() override {
    const std::lock_guard lock(disk_.mutex_);
    if (dead()) return disk_.off_error(path_);
    return disk_.sync(node_, path_);
  }
  Result<void> truncate(std::uint64_t size) override {
    const std::lock_guard lock(disk_.mutex_);
    if (dead()) return disk_.off_error(path_);
    return disk_.truncate(node_, path_, size);
  }
  Result<void> preallocate(std::uint64_t, std::uint64_t) override { return {}; }
  Result<std::uint64_t> size() override {
    const std::lock_guard lock(disk_.mutex_);
    if (dead()) return disk_.off_error(path_);
    return disk_.nodes_[node_].bytes.size();
  }

 private:
  [[nodiscard]] bool dead() const { return generation_ != disk_.generation_ || disk_.is_off(); }

  SimDisk& disk_;
  const NodeId node_;
  const std::string path_;
  const std::uint64_t generation_ = disk_.generation_;
};

class SimDisk::SimLock : public FileLock {
 public:
  SimLock(SimDisk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  ~SimLock() override {
    const std::lock_guard lock(disk_.mutex_);
    if (generation_ == disk_.generation_) disk_.locked_.erase(path_);
  }

 private:
  SimDisk& disk_;
  const std::string path_;
  const std::uint64_t generation_ = disk_.generation_;
};

// ---- power, steps and faults (power cuts: sim_disk_power.cpp) ----

void SimDisk::power_off_before(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  off_before_ = number;
}

bool SimDisk::is_off() const {
  const std::lock_guard lock(mutex_);
  return off_before_ && steps_ >= *off_before_;
}

Error SimDisk::off_error(const std::string& path) const { return Error{Errc::io, path + ": the power is off"}; }

std::uint64_t SimDisk::steps() const {
  const std::lock_guard lock(mutex_);
  return steps_;
}

std::uint64_t SimDisk::reads() const {
  const std::lock_guard lock(mutex_);
  return reads_;
}

void SimDisk::on_step(std::function<void(const DiskStep&)> hook) {
  const std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

void SimDisk::fail_step(std::uint64_t number, Errc code, bool for_ever) {
  const std::lock_guard lock(mutex_);
  step_faults_.insert_or_assign(number, StepFault{code, for_ever});
}

void SimDisk::fail_read(std::uint64_t number, ReadFault fault) {
  const std::lock_guard lock(mutex_);
  read_faults_.insert_or_assign(number, fault);
}

void SimDisk::clear_faults() {
  const std::lock_guard lock(mutex_);
  step_faults_.clear();
  read_faults_.clear();
}

void SimDisk::set_capacity(std::optional<std::uint64_t> bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

std::uint64_t SimDisk::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return used_bytes_;
}

std::optional<Error> SimDisk::begin_step(std::string_view operation, const std::string& path) {
  if (is_off()) return off_error(path);
  if (hook_) hook_({steps_ + 1, operation, path});
  ++steps_;
  if (is_off()) return off_error(path);
  const auto fault = step_faults_.upper_bound(steps_);
  if (fault == step_faults_.begin()) return std::nullopt;
  const auto& [number, what] = *std::prev(fault);
  if (number != steps_ && !what.for_ever) return std::nullopt;
  return Error{what.code, std::string(operation) + " " + path + ": fault injected at step " + std::to_string(steps_)};
}

std::optional<ReadFault> SimDisk::begin_read() {
  ++reads_;
  const auto fault = read_faults_.find(reads_);
  if (fault == read_faults_.end()) return std::nullopt;
  return fault->second;
}

// ---- bytes ----

void SimDisk::apply(Bytes& bytes, const Change& change) {
  if (change.truncates) {
    bytes.resize(change.at);
    return;
  }
  const std::uint64_t end = change.at + change.bytes.size();
  if (bytes.size() < end) bytes.resize(end);
  std::ranges::copy(change.bytes, bytes.begin() + static_cast<std::ptrdiff_t>(change.at));
}

void SimDisk::apply_now(NodeId id, Change change) {
  Node& node = nodes_[id];
  used_bytes_ -= node.bytes.size();
  apply(node.bytes, change);
  used_bytes_ += node.bytes.size();
  node.unsynced.push_back(std::move(change));
}

Result<std::size_t> SimDisk::read(NodeId id, const std::string& path, std::uint64_t position, std::span<std::byte> out) {
  const Bytes& bytes = nodes_[id].bytes;
  std::size_t size = position >= bytes.size() ? 0 : std::min<std::size_t>(out.size(), bytes.size() - position);
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(position, bytes.size())), size, out.begin());
  const std::optional<ReadFault> fault = begin_read();
  if (!fault) return size;
  switch (*fault) {
    case ReadFault::error:
      return Error{Errc::io, "read " + path + ": fault injected at read " + std::to_string(reads_)};
    case ReadFault::bit_flip:
      if (size > 0) out[random_.below(size)] ^= std::byte{1} << static_cast<int>(random_.below(8));
      break;
    case ReadFault::cut_off:
      size = random_.below(size);
      break;
  }
  return size;
}

Result<void> SimDisk::write(NodeId id, const std::string& path, std::uint64_t position, BytesView bytes) {
  const std::optional<Error> fault = begin_step("write", path);
  if (fault && is_off()) return *fault;
  if (fault) bytes = bytes.first(random_.below(bytes.size() + 1));

  const std::uint64_t size = nodes_[id].bytes.size();
  const std::uint64_t growth = position + bytes.size() > size ? position + bytes.size() - size : 0;
  const std::uint64_t room = capacity_ ? *capacity_ - std::min(*capacity_, used_bytes_) : growth;
  const std::uint64_t missing = growth > room ? std::min<std::uint64_t>(growth - room, bytes.size()) : 0;
  const BytesView fitting = bytes.first(bytes.size() - missing);
  if (!fitting.empty()) apply_now(id, {position, Bytes(fitting.begin(), fitting.end()), false});

  if (fault) return *fault;
  if (missing > 0) return Error{Errc::no_space, "write " + path + ": the simulated disk is full"};
  return {};
}

Result<void> SimDisk::truncate(NodeId id, const std::string& path, std::uint64_t size) {
  if (std::optional<Error> fault = begin_step("truncate", path)) return *fault;
  apply_now(id, {size, {}, true});
  return {};
}

Result<void> SimDisk::sync(NodeId id, const std::string& path) {
  const std::optional<Error> fault = begin_step("sync", path);
  if (fault && is_off()) return *fault;
  Node& node = nodes_[id];
  for (const Change& change : node.unsynced) {
    if (!fault || random_.one_in(2)) apply(node.durable_bytes, change);
  }
  node.unsynced.clear();  // after a failure too: the pages count as clean, and the next sync succeeds without them
  if (fault) return *fault;
  return {};
}

// ---- names ----

void SimDisk::apply(std::map<std::string, NodeId>& names, const NameChange& change) {
  if (change.removed) names.erase(*change.removed);
  if (change.added) names[*change.added] = change.node;
}

std::optional<SimDisk::NodeId> SimDisk::child(const Node& directory, const std::string& name) {
  const auto found = directory.names.find(name);
  if (found == directory.names.end()) return std::nullopt;
  return found->second;
}

std::optional<SimDisk::NodeId> SimDisk::find(std::string_view path) const {
  std::optional<NodeId> at = kRoot;
  for_each_name(path, [&](std::string_view name) {
    if (at) at = child(nodes_[*at], std::string(name));
  });
  return at;
}

Result<SimDisk::Place> SimDisk::place_of(const std::string& path) const {
  const std::size_t end = path.find_last_not_of('/');
  const std::size_t slash = path.find_last_of('/', end);
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1, end == std::string::npos ? 0 : end - slash);
  const std::optional<NodeId> parent = find(slash == std::string::npos ? "" : path.substr(0, slash));
  if (!parent || !nodes_[*parent].is_directory) return absent(path);
  return Place{*parent, name};
}

SimDisk::NodeId SimDisk::add_node(const Place& place, bool is_directory) {
  const NodeId id = nodes_.size();
  nodes_.emplace_back();
  nodes_[id].is_directory = is_directory;
  const NameChange change{std::nullopt, place.name, id};
  apply(nodes_[place.parent].names, change);
  nodes_[place.parent].unsynced_names.push_back(change);
  return id;
}

Result<std::unique_ptr<File>> SimDisk::open(const std::string& path, OpenMode mode) {
  const std::lock_guard lock(mutex_);
  if (is_off()) return off_error(path);
  const Result<Place> place = place_of(path);
  if (!place) return place.error();
  std::optional<NodeId> node = child(nodes_[place->parent], place->name);
  const bool creates = mode == OpenMode::create || mode == OpenMode::create_new;
  if (node && nodes_[*node].is_directory) return Error{Errc::io, path + ": is a directory"};
  if (node && mode == OpenMode::create_new) return Error{Errc::already_exists, path + ": exists"};
  if (!node && !creates) return absent(path);
  if (!node) {
    if (std::optional<Error> fault = begin_step("create", path)) return *fault;
    node = add_node(*place, false);
  }
  return std::make_unique<SimFile>(*this, *node, path);
}

Result<void> SimDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (is_off()) return off_error(from);
  const Result<Place> source = place_of(from);
  if (!source) return source.error();
  const Result<Place> target = place_of(to);
  if (!target) return target.error();
  if (source->parent != target->parent) return Error{Errc::unsupported, from + ": rename into another directory"};
  const std::optional<NodeId> node = child(nodes_[source->parent], source->name);
  if (!node) return absent(from);
  if (std::optional<Error> fault = begin_step("rename", to)) return *fault;
  if (const std::optional<NodeId> replaced = child(nodes_[target->parent], target->name); replaced && replaced != node) {
    used_bytes_ -= nodes_[*replaced].bytes.size();
  }
  const NameChange change{source->name, target->name, *node};
  apply(nodes_[source->parent].names, change);
  nodes_[source->parent].unsynced_names.push_back(change);
  return {};
}

Result<void> SimDisk::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (is_off()) return off_error(path);
  const Result<Place> place = place_of(path);
  if (!place) return place.error();
  const std::optional<NodeId> node = child(nodes_[place->parent], place->name);
  if (!node) return absent(path);
  if (!nodes_[*node].names.empty()) return Error{Errc::io, path + ": directory not empty"};
  if (std::optional<Error> fault = begin_step("remove", path)) return *fault;
  used_bytes_ -= nodes_[*node].bytes.size();
  const NameChange change{place->name, std::nullopt, *node};
  apply(nodes_[place->parent].names, change);
  nodes_[place->parent].unsynced_names.push_back(change);
  return {};
}

Result<void> SimDisk::remove_all(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (is_off()) return off_error(path);
  const std::optional<NodeId> node = find(path);
  if (!node) return {};
  const std::map<std::string, NodeId> names = nodes_[*node].names;
  for (const auto& [name, id] : names) {
    std::string inner = path;
    inner.append("/").append(name);
    if (Result<void> removed = remove_all(inner); !removed) return removed;
  }
  return remove(path);
}

Result<void> SimDisk::make_directories(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (is_off()) return off_error(path);
  std::string reached = path.starts_with('/') ? "/" : "";
  Result<void> outcome;
  for_each_name(path, [&](std::string_view name) {
    if (!outcome) return;
    reached.append(name);
    const std::optional<NodeId> node = find(reached);
    if (node && !nodes_[*node].is_directory) {
      outcome = Error{Errc::io, reached + ": a file is in the way"};
    } else if (!node) {
      if (std::optional<Error> fault = begin_step("mkdir", reached)) {
        outcome = *fault;
      } else {
        add_node(*place_of(reached), true);
      }
    }
    reached += '/';
  });
  return outcome;
}

Result<std::vector<DirEntry>> SimDisk::list(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (is_off()) return off_error(directory);
  const std::optional<NodeId> node = find(directory);
  if (!node || !nodes_[*node].is_directory) return absent(directory);
  std::vector<DirEntry> entries;
  for (const auto& [name, id] : nodes_[*node].names) entries.push_back({name, nodes_[id].is_directory});
  return entries;
}

Result<bool> SimDisk::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (is_off()) return off_error(path);
  return find(path).has_value();
}

Result<void> SimDisk::sync_directory(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (is_off()) return off_error(directory);
  const std::optional<NodeId> node = find(directory);
  if (!node || !nodes_[*node].is_directory) return absent(directory);
  if (std::optional<Error> fault = begin_step("sync_directory", directory)) return *fault;
  nodes_[*node].durable_names = nodes_[*node].names;
  nodes_[*node].unsynced_names.clear();
  return {};
}

Result<std::unique_ptr<FileLock>> SimDisk::lock(const std::string& path, const std::string& holder) {
  const std::lock_guard lock(mutex_);
  if (is_off()) return off_error(path);
  if (locked_.contains(path)) {
    const Result<Bytes> held_by = read_file(*this, path, 4096);
    return Error{Errc::locked, path + " is held by " + std::string(held_by ? as_text(*held_by) : "somebody")};
  }
  Result<std::unique_ptr<File>> file = open(path, OpenMode::create);
  if (!file) return file.error();
  if (Result<void> emptied = (*file)->truncate(0); !emptied) return emptied.error();
  if (Result<void> written = (*file)->write_at(0, as_bytes(holder)); !written) return written.error();
  locked_.insert(path);
  return std::make_unique<SimLock>(*this, path);
}

}  // namespace lungo::test
