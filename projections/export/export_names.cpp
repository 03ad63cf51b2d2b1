#include "export_names.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include <xxhash.h>

#include <lungo/log/check.hpp>
#include <lungo/log/text.hpp>

namespace lungo::exporting {

namespace {

constexpr std::array<std::string_view, 5> kExtensions{"json", "json.gz", "json.zst", "avro", "batches"};
constexpr std::size_t kTopicBytesMax = 249;   // Kafka's limit
constexpr std::size_t kStemBytesMax = 180;    // of a topic in a file's name: the rest takes 63 at most
constexpr std::size_t kOffsetDigits = 20;     // so that names sort by offset
constexpr std::string_view kHiddenBy = "._";  // in front: Hive, Spark and MapReduce pass over such names
constexpr char kShown = '%';                  // in no topic's name

bool is_in_a_topic(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

std::string digits(std::int64_t number) {
  std::string text = std::to_string(number);
  return std::string(kOffsetDigits - text.size(), '0') + text;
}

/// Decimal, without a sign; `width` digits, or the fewest.
std::optional<std::int64_t> number_of(std::string_view text, std::optional<std::size_t> width) {
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  if (width ? text.size() != *width : (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return parse_number<std::int64_t>(text);
}

/// What a file's name begins with. A long topic is cut, and told from others by its hash: the folder has it whole.
std::string stem_of(std::string_view topic) {
  std::string stem = folder_of(topic);
  if (stem.size() <= kStemBytesMax) return stem;
  const std::uint64_t bits = XXH3_64bits(topic.data(), topic.size());
  const std::string hash = to_hex(std::as_bytes(std::span{&bits, 1}));
  stem.resize(kStemBytesMax - hash.size() - 1);
  return stem + kShown + hash;
}

/// The text in front of the last '.', which is cut off with what follows it; nothing where there is none.
std::optional<std::string_view> cut_last(std::string_view& text) {
  const std::size_t dot = text.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view last = text.substr(dot + 1);
  text = text.substr(0, dot);
  return last;
}

}  // namespace

std::string folder_of(std::string_view topic) {
  const bool is_hidden = !topic.empty() && kHiddenBy.find(topic.front()) != std::string_view::npos;
  return (is_hidden ? std::string(1, kShown) : std::string{}) + std::string(topic);
}

std::optional<std::string> topic_of(std::string_view folder) {
  std::string_view topic = folder;
  if (topic.starts_with(kShown)) topic.remove_prefix(1);
  const bool is_topic = !topic.empty() && topic.size() <= kTopicBytesMax && std::ranges::all_of(topic, is_in_a_topic);
  if (!is_topic || folder_of(topic) != folder) return std::nullopt;
  return std::string(topic);
}

bool is_extension(std::string_view extension) { return std::ranges::find(kExtensions, extension) != kExtensions.end(); }

std::string to_string(std::string_view topic, const FileName& file) {
  check(is_extension(file.extension) && file.span.first < file.span.end, "a file is of a known kind, and has offsets");
  return stem_of(topic) + "." + std::to_string(file.span.partition.value()) + "." + digits(file.span.first.value()) + "-" +
         digits(file.span.end.value() - 1) + "." + file.extension;
}

std::optional<FileName> parse_file_name(std::string_view topic, std::string_view name) {
  const auto extension = std::ranges::find_if(kExtensions, [name](std::string_view one) {
    return name.ends_with(one) && name.substr(0, name.size() - one.size()).ends_with('.');
  });
  if (extension == kExtensions.end()) return std::nullopt;
  std::string_view rest = name.substr(0, name.size() - extension->size() - 1);
  const std::optional<std::string_view> offsets = cut_last(rest);
  const std::optional<std::string_view> partition = cut_last(rest);
  if (!offsets || !partition || rest != stem_of(topic)) return std::nullopt;
  const std::size_t dash = offsets->find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::optional<std::int64_t> number = number_of(*partition, std::nullopt);
  const std::optional<std::int64_t> first = number_of(offsets->substr(0, dash), kOffsetDigits);
  const std::optional<std::int64_t> last = number_of(offsets->substr(dash + 1), kOffsetDigits);
  if (!number || *number > INT32_MAX || !first || !last || *first > *last || *last == INT64_MAX) return std::nullopt;
  return FileName{
      .span = {PartitionId{static_cast<std::int32_t>(*number)}, Offset{*first}, Offset{*last + 1}},
      .extension = std::string(*extension),
  };
}

}  // namespace lungo::exporting
