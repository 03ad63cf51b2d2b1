// SimDisk: directories and their names, opening and locking.
#include <algorithm>

#include "tests/support/sim_disk.hpp"
#include "tests/support/sim_disk_files.hpp"

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

void SimDisk::apply(std::map<std::string, NodeId>& names, const NameChange& change) {
  if (change.removed) names.erase(*change.removed);
  if (change.added) names[*change.added] = change.node;
}

void SimDisk::apply_now(NodeId directory, NameChange change) {
  change.number = ++changes_;
  apply(nodes_[directory].names, change);
  nodes_[directory].unsynced_names.push_back(std::move(change));
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
  apply_now(place.parent, NameChange{std::nullopt, place.name, id});
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
    end_step("create", path);
  } else if (std::optional<Error> fault = begin_look("open", path)) {
    return *fault;
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
  apply_now(source->parent, NameChange{source->name, target->name, *node});
  end_step("rename", to);
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
  apply_now(place->parent, NameChange{place->name, std::nullopt, *node});
  end_step("remove", path);
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
        end_step("mkdir", reached);
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
  if (std::optional<Error> fault = begin_look("list", directory)) return *fault;
  std::vector<DirEntry> entries;
  for (const auto& [name, id] : nodes_[*node].names) entries.push_back({name, nodes_[id].is_directory});
  return entries;
}

Result<bool> SimDisk::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (is_off()) return off_error(path);
  if (std::optional<Error> fault = begin_look("exists", path)) return *fault;
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
  end_step("sync_directory", directory);
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
