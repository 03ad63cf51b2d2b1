// Views and buffers of raw bytes, and the conversions to text.
//
// For every folder. A view never outlives the buffer that it was made from; functions that keep bytes take or return `Bytes`.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace lungo {

using Bytes = std::vector<std::byte>;
using BytesView = std::span<const std::byte>;

inline BytesView as_bytes(std::string_view text) { return std::as_bytes(std::span{text.data(), text.size()}); }
inline std::string_view as_text(BytesView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes to_bytes(std::string_view text) {
  const BytesView view = as_bytes(text);
  return Bytes(view.begin(), view.end());
}

}  // namespace lungo
