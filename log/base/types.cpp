#include <lungo/log/types.hpp>

#include <string_view>

namespace lungo {

std::string to_string(const TopicId& id) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  std::uint32_t bits = 0;
  int held = 0;
  for (const std::uint8_t byte : id.bytes) {
    bits = (bits << 8) | byte;
    held += 8;
    while (held >= 6) {
      held -= 6;
      text += kAlphabet[(bits >> held) & 63];
    }
  }
  if (held > 0) text += kAlphabet[(bits << (6 - held)) & 63];
  return text;
}

std::string to_string(const TopicPartition& tp) { return tp.topic + "-" + std::to_string(tp.partition.value()); }

}  // namespace lungo
