#include "mirror_partition.hpp"

#include <algorithm>

#include "segment.hpp"
#include "segment_directory.hpp"

namespace lungo {
namespace {

/// A log that is empty begins at 0, unless the name of its first segment says otherwise.
Result<void> name_the_start(Storage& storage, const std::string& directory, Offset start) {
  if (start == Offset{0}) return {};
  const Result<std::vector<Offset>> segments = list_segments(storage, directory, false);
  if (!segments) return segments.error();
  if (!segments->empty()) return {};
  const Result<std::unique_ptr<File>> first =
      storage.open(directory + "/" + segment_file_name(start, kLogSuffix), OpenMode::create);
  return first ? Result<void>{} : first.error();
}

}  // namespace

Result<std::unique_ptr<PartitionLog>> open_mirrored(Ports ports, const std::string& directory, const PartitionOptions& options,
                                                    std::optional<CleanEnd> clean, Offset recovery_point) {
  if (Result<void> named = name_the_start(ports.storage, directory, options.start); !named) return named.error();
  Result<std::unique_ptr<PartitionLog>> log = PartitionLog::open(ports, directory, options, clean, recovery_point);
  if (!log) return log;
  if (const std::optional<Error>& refusal = (*log)->refused_since_opening()) {
    return Error{Errc::corrupt, std::string(refusal->text())};
  }
  return log;
}

Result<std::optional<Offset>> border_below(PartitionLog& log, Offset offset) {
  Offset below = std::min(offset, log.written_end());
  if (const std::vector<DamagedRange> damage = log.damage(); !damage.empty()) below = std::min(below, damage.front().from);
  if (below <= log.start()) return std::optional<Offset>{};
  const Result<Fetched> last = log.read_back(below, below, 0, {}, {});
  if (!last) return last.error();
  return last->empty() ? std::nullopt : std::optional{last->next().offset};
}

Result<std::optional<RecordProof>> last_record_of(PartitionLog& log) {
  for (Offset end = log.written_end(); end > log.start();) {
    const Result<Fetched> fetched = log.read_back(end, end, 0, {}, {});
    if (!fetched) return fetched.error();
    if (fetched->empty()) break;
    std::optional<RecordView> last;  // of a batch that is not compressed, as none is here
    RecordCursor records = fetched->records();
    while (const RecordView* record = records.next()) last = *record;
    if (records.error()) return *records.error();
    if (last) return std::optional{record_proof(*last)};
    end = fetched->first();  // a batch without records
  }
  return std::optional<RecordProof>{};
}

}  // namespace lungo
