#include "segment_directory.hpp"

#include <algorithm>
#include <array>

#include "segment.hpp"
#include "segment_digest.hpp"
#include "stream_run_files.hpp"

namespace lungo {
namespace {

constexpr std::array kSidecarSuffixes{kIndexSuffix, kTimeIndexSuffix, kTxnIndexSuffix, kDigestSuffix};

bool is_left_over(const std::string& name, const std::vector<Offset>& bases) {
  if (name.ends_with(kTemporarySuffix) || name.ends_with(kDeletedSuffix)) return true;
  if (segment_base(name, kStreamsSuffix)) return true;
  for (const std::string_view suffix : kSidecarSuffixes) {
    const std::optional<Offset> base = segment_base(name, suffix);
    if (base) return !std::binary_search(bases.begin(), bases.end(), *base);
  }
  return false;
}

}  // namespace

Result<void> remove_if_present(Storage& storage, const std::string& path) {
  Result<void> removed = storage.remove(path);
  return !removed && removed.error() == Errc::not_found ? Result<void>{} : removed;
}

Result<std::vector<Offset>> list_segments(Storage& storage, const std::string& directory, bool clean_up) {
  std::vector<Offset> bases;
  const Result<std::vector<DirEntry>> entries = storage.list(directory);
  if (!entries) return entries.error() == Errc::not_found ? Result<std::vector<Offset>>{bases} : entries.error();
  for (const DirEntry& entry : *entries) {
    if (const std::optional<Offset> base = segment_base(entry.name, kLogSuffix)) bases.push_back(*base);
  }
  std::sort(bases.begin(), bases.end());
  if (!clean_up) return bases;
  for (const DirEntry& entry : *entries) {
    if (entry.is_directory || !is_left_over(entry.name, bases)) continue;
    if (Result<void> removed = remove_if_present(storage, directory + "/" + entry.name); !removed) return removed.error();
  }
  return bases;
}

Result<void> remove_segment(Storage& storage, const std::string& directory, Offset base) {
  if (Result<void> removed = remove_if_present(storage, directory + "/" + segment_file_name(base, kLogSuffix)); !removed) {
    return removed;
  }
  for (const std::string_view suffix : kSidecarSuffixes) {
    if (Result<void> removed = remove_if_present(storage, directory + "/" + segment_file_name(base, suffix)); !removed) {
      return removed;
    }
  }
  return remove_if_present(storage, directory + "/" + segment_file_name(base, kSnapshotSuffix));
}

Result<void> set_segment_aside(Storage& storage, const std::string& directory, Offset base, std::vector<std::string>& paths,
                               bool with_snapshot) {
  const auto set_aside = [&](std::string_view suffix) -> Result<void> {
    const std::string path = directory + "/" + segment_file_name(base, suffix);
    const std::string aside = path + std::string(kDeletedSuffix);
    Result<void> renamed = storage.rename(path, aside);
    if (renamed) paths.push_back(aside);
    // A longer name may take room in the directory, and this is what is to make some.
    if (!renamed && renamed.error() == Errc::no_space) renamed = storage.remove(path);
    return !renamed && renamed.error() == Errc::not_found ? Result<void>{} : renamed;
  };
  if (Result<void> done = set_aside(kLogSuffix); !done) return done;
  for (const std::string_view suffix : kSidecarSuffixes) {
    if (Result<void> done = set_aside(suffix); !done) return done;
  }
  return with_snapshot ? set_aside(kSnapshotSuffix) : Result<void>{};
}

}  // namespace lungo
