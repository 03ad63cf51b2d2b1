// The small text files: what is accepted is written and read again as it is.
#include "backup_manifest.hpp"
#include "checkpoint_file.hpp"
#include "cleaned_ends.hpp"
#include "epoch_history.hpp"
#include "log_starts.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/targets.hpp"
#include "topics_file.hpp"

namespace lungo::test {
namespace {

void topics(BytesView bytes) {
  const Result<std::vector<TopicEntry>> topics = parse_topics("topics", bytes);
  if (!topics) return;
  const std::string text = format_topics(*topics);
  const Result<std::vector<TopicEntry>> again = parse_topics("topics", as_bytes(text));
  require(again && format_topics(*again) == text && again->size() == topics->size(), "topics");
  for (std::size_t i = 0; i < topics->size(); ++i) {
    require((*again)[i].info.spec == (*topics)[i].info.spec && (*again)[i].info.id == (*topics)[i].info.id &&
                (*again)[i].tail_places == (*topics)[i].tail_places && (*again)[i].unknown == (*topics)[i].unknown,
            "a topic");
    require(validate((*topics)[i].info.spec).has_value(), "topics that are read are valid");
  }
}

void properties(BytesView bytes) {
  const Result<Properties> properties = parse_property_file("kind", 1, "file", bytes);
  if (!properties) return;
  const Result<Properties> again =
      parse_property_file("kind", 1, "file", as_bytes(format_property_file("kind", 1, *properties)));
  require(again && *again == *properties, "properties");
  for (const Property& property : *properties) {
    const Result<std::int64_t> number = number_of(property, "file");
    if (number) require(*number == *number_of({"key", std::to_string(*number)}, "file"), "a number");
  }
}

void checkpoint(BytesView bytes) {
  const Result<OffsetsByPartition> offsets = parse_checkpoint("file", bytes);
  if (!offsets) return;
  const Result<OffsetsByPartition> again = parse_checkpoint("file", as_bytes(format_checkpoint(*offsets)));
  require(again && *again == *offsets, "a checkpoint");
}

void starts(BytesView bytes) {
  const Result<OffsetsByPartition> offsets = parse_log_starts("file", bytes);
  if (!offsets) return;
  const Result<OffsetsByPartition> again = parse_log_starts("file", as_bytes(format_log_starts(*offsets)));
  require(again && *again == *offsets, "starts");
}

void cleaned(BytesView bytes) {
  const Result<CleanedEnds> ends = parse_cleaned_ends("file", bytes);
  if (!ends) return;
  const Result<CleanedEnds> again = parse_cleaned_ends("file", as_bytes(format_cleaned_ends(*ends)));
  require(again && *again == *ends, "cleaned ends");
}

void epochs(BytesView bytes) {
  const Result<std::vector<EpochStart>> entries = EpochHistory::parse(as_text(bytes));
  if (!entries) return;
  const Result<std::vector<EpochStart>> again = EpochHistory::parse(EpochHistory::to_text(*entries));
  require(again && *again == *entries, "epochs");
  EpochHistory history;
  history.assign(*entries);
  for (const EpochStart& entry : *entries) {
    const EpochSpan span = history.span_at(entry.start);
    require(span.epoch >= entry.epoch && span.end > entry.start, "an offset lies in its epoch");
    require(history.end_of(entry.epoch, entry.start).value() >= entry.start, "an epoch ends behind its start");
  }
  if (!entries->empty()) {
    history.trim_front(entries->back().start);
    history.trim_to(entries->front().start);
    require(history.entries().size() <= 1, "what is trimmed is gone");
  }
}

void partition_metadata(BytesView bytes) {
  const Result<TopicId> id = parse_partition_metadata("file", bytes);
  if (!id) return;
  const Result<TopicId> again = parse_partition_metadata("file", as_bytes(format_partition_metadata(*id)));
  require(again && *again == *id, "a topic's id");
}

void manifest(BytesView bytes) {
  const Result<BackupManifest> manifest = parse_manifest("file", bytes);
  if (!manifest) return;
  const std::string text = format_manifest(*manifest);
  const Result<BackupManifest> again = parse_manifest("file", as_bytes(text));
  require(again && *again == *manifest, "a manifest");
  for (const BackedUpFile& file : manifest->files) {
    const std::string path = "/" + file.path + "/";
    require(
        path.find("//") == std::string::npos && path.find("/./") == std::string::npos && path.find("/../") == std::string::npos,
        "no path leads out of a backup");
  }
  for (const BackedUpPartition& partition : manifest->partitions) {
    require(Offset{0} <= partition.start && partition.start <= partition.end, "a partition starts before its end");
  }
}

}  // namespace

void fuzz_text_files(BytesView input) {
  FuzzInput fields{input};
  const std::uint8_t which = fields.byte();
  Bytes bytes(fields.rest().begin(), fields.rest().end());
  if (which & 0x80) mend_property_file(bytes);
  constexpr std::array kReaders{topics, properties, checkpoint, epochs, partition_metadata, starts, cleaned, manifest};
  kReaders[(which & 0x7f) % kReaders.size()](bytes);
}

}  // namespace lungo::test
