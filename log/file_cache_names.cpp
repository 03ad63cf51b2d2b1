// FileCache: names that go, come and change while their files are open.

#include <string_view>

#include "file_cache_files.hpp"

namespace lungo {
namespace {

// What lies in a directory, between its name with '/' and with the character behind.
std::string first_below(const std::string& directory) { return directory + '/'; }
std::string behind_all_below(const std::string& directory) { return directory + static_cast<char>('/' + 1); }

/// Whether they are one name, or one is a directory that the other lies in.
bool are_related(std::string_view one, std::string_view other) {
  if (one.size() > other.size()) std::swap(one, other);
  return other.starts_with(one) && (other.size() == one.size() || other[one.size()] == '/');
}

}  // namespace

bool FileCache::OpenFiles::BusyNames::meets(const BusyNames& other) const {
  return std::ranges::any_of(names_, [&](const std::string& name) {
    return std::ranges::any_of(other.names_, [&](const std::string& there) { return are_related(name, there); });
  });
}

FileCache::OpenFiles::Entries::iterator FileCache::OpenFiles::find(const Entry& entry) {
  const auto [begin, end] = by_path.equal_range(entry.path);
  return std::find_if(begin, end, [&](const auto& named) { return named.second.get() == &entry; });
}

void FileCache::OpenFiles::lose_name(Entry& entry) {
  if (!std::exchange(entry.has_name, false)) return;
  by_path.erase(find(entry));
}

// Not being able to is no failure of the call that takes the name away: the next use of the file answers not_found.
void FileCache::OpenFiles::open_for_good(Lock& lock, const Pinned& pinned) {
  for (const std::shared_ptr<Entry>& entry : pinned.entries()) {
    if (entry->owned == nullptr) static_cast<void>(open_again(lock, entry).has_value());
  }
}

/// With the names busy.
Result<void> FileCache::OpenFiles::remove_names(Lock& lock, Entries::iterator begin, Entries::iterator end,
                                                const std::function<Result<void>()>& remove_beneath) {
  const Pinned pinned(begin, end);
  open_for_good(lock, pinned);
  lock.unlock();
  Result<void> removed = remove_beneath();
  lock.lock();
  if (!removed) return removed;
  for (const std::shared_ptr<Entry>& entry : pinned.entries()) lose_name(*entry);
  return removed;
}

FileCache::OpenFiles::Moves FileCache::OpenFiles::moves_of(const std::string& from, const std::string& to) {
  Moves moves;
  const auto add = [&](Entries::iterator begin, Entries::iterator end) {
    for (; begin != end; ++begin) {
      const std::string path = to + begin->first.substr(from.size());
      moves.push_back({.entry = begin->second, .key = path, .path = path, .node = {}});
    }
  };
  const auto [begin, end] = by_path.equal_range(from);
  add(begin, end);
  add(by_path.lower_bound(first_below(from)), by_path.lower_bound(behind_all_below(from)));
  return moves;
}

void FileCache::OpenFiles::move(Moves& moves) {
  for (Move& move : moves) {  // first all out: a new name may lie among the old ones
    if (move.entry->has_name) move.node = by_path.extract(find(*move.entry));
  }
  for (Move& move : moves) {
    if (move.node.empty()) continue;  // let go meanwhile
    move.node.key().swap(move.key);
    move.node.mapped()->path.swap(move.path);
    by_path.insert(std::move(move.node));
  }
}

Result<void> FileCache::OpenFiles::rename(const std::string& from, const std::string& to) {
  if (from == to) return beneath.rename(from, to);
  Moves moves;  // what it holds may be let go with it: behind the lock
  Lock lock(mutex);
  const BusyNames busy_names(*this, lock, {from, to});
  moves = moves_of(from, to);
  const auto [begin, end] = by_path.equal_range(to);
  Result<void> renamed = remove_names(lock, begin, end, [&] { return beneath.rename(from, to); });
  if (renamed) move(moves);
  return renamed;
}

Result<void> FileCache::OpenFiles::remove(const std::string& path) {
  Lock lock(mutex);
  const BusyNames busy_name(*this, lock, {path});
  const auto [begin, end] = by_path.equal_range(path);
  return remove_names(lock, begin, end, [&] { return beneath.remove(path); });
}

Result<void> FileCache::OpenFiles::remove_all(const std::string& path) {
  Lock lock(mutex);
  const BusyNames busy_name(*this, lock, {path});
  const auto begin = by_path.lower_bound(first_below(path));
  const auto end = by_path.lower_bound(behind_all_below(path));
  return remove_names(lock, begin, end, [&] { return beneath.remove_all(path); });
}

}  // namespace lungo
