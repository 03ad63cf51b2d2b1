#include "base/compression.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include <lungo/log/check.hpp>

#include "base/codecs.hpp"

namespace lungo {
namespace {

constexpr std::size_t kDecompressedBytesMax = 64u << 20;
constexpr std::size_t kRatioMax = 1024;
constexpr std::size_t kRatioSlack = 64u << 10;  // so that a small batch of much the same is no bomb

constexpr std::size_t kOutputBytesMin = 16u << 10;

constexpr std::array<std::string_view, 5> kNames = {"none", "gzip", "snappy", "lz4", "zstd"};

struct Levels {
  int least;
  int most;
};

// Kafka's, which are the libraries' own but for lz4: liblz4 takes those above its highest for the highest.
std::optional<Levels> levels_of(Compression codec) {
  switch (codec) {
    case Compression::gzip:
      return Levels{1, 9};
    case Compression::lz4:
      return Levels{1, 17};
    case Compression::zstd:
      return Levels{-(1 << 17), 22};
    default:
      return std::nullopt;
  }
}

bool is_codec(Compression codec) { return codec != Compression::none && static_cast<std::size_t>(codec) < kNames.size(); }

Error no_codec(Compression codec) {
  return Error{Errc::unsupported, "there is no codec " + std::to_string(static_cast<int>(codec))};
}

}  // namespace

std::string_view to_string(Compression codec) {
  const auto number = static_cast<std::size_t>(codec);
  return number < kNames.size() ? kNames[number] : "unknown";
}

std::optional<Compression> parse_compression(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Compression>(found - kNames.begin());
}

std::size_t decompressed_bytes_max(std::size_t compressed) {
  if (compressed >= kDecompressedBytesMax / kRatioMax) return kDecompressedBytesMax;
  return std::min(kDecompressedBytesMax, compressed * kRatioMax + kRatioSlack);
}

Result<void> compress(Compression codec, BytesView input, Bytes& out, std::optional<int> level) {
  if (!is_codec(codec)) return no_codec(codec);
  check(input.size() <= std::numeric_limits<std::uint32_t>::max(), "what is compressed at once is shorter than 4 GiB");
  if (level) {
    const std::optional<Levels> levels = levels_of(codec);
    if (!levels || *level < levels->least || *level > levels->most) {
      return Error{Errc::invalid_argument, std::string(to_string(codec)) + " has no level " + std::to_string(*level)};
    }
  }
  switch (codec) {
    case Compression::gzip:
      codecs::gzip(input, out, level);
      break;
    case Compression::snappy:
      codecs::snappy(input, out);
      break;
    case Compression::lz4:
      codecs::lz4(input, out, level);
      break;
    default:
      codecs::zstd(input, out, level);
      break;
  }
  return {};
}

Result<std::size_t> decompress(Compression codec, BytesView input, std::size_t cap, Bytes& out) {
  if (!is_codec(codec)) return no_codec(codec);
  check(input.size() <= std::numeric_limits<std::uint32_t>::max(), "what is decompressed at once is shorter than 4 GiB");
  if (input.empty()) return codecs::broken(codec, "there are no bytes");  // libzstd takes them for no frames
  codecs::CappedOutput output{out, cap};
  const Result<void> done = [&] {
    switch (codec) {
      case Compression::gzip:
        return codecs::gunzip(input, output);
      case Compression::snappy:
        return codecs::unsnappy(input, output);
      case Compression::lz4:
        return codecs::unlz4(input, output);
      default:
        return codecs::unzstd(input, output);
    }
  }();
  if (!done) return done.error();
  return output.size();
}

namespace codecs {

std::span<std::byte> CappedOutput::room(std::size_t wanted) {
  const std::size_t needed = size_ + std::min(wanted, left());
  if (buffer_.size() < needed) buffer_.resize(std::min(cap_, std::max({needed, 2 * buffer_.size(), kOutputBytesMin})));
  return std::span{buffer_}.first(std::min(cap_, buffer_.size())).subspan(size_);
}

std::span<std::byte> CappedOutput::some_room() { return left() == 0 ? std::span<std::byte>{behind_} : room(1); }

void CappedOutput::used(std::size_t bytes) {
  if (bytes > left()) {
    overflowed_ = true;
  } else {
    size_ += bytes;
  }
}

Error broken(Compression codec, std::string_view what) {
  return Error{Errc::corrupt, std::string(to_string(codec)) + " can't be decompressed: " + std::string(what)};
}

Error above_cap(Compression codec) {
  return Error{Errc::too_large, std::string(to_string(codec)) + " decompresses to more than is allowed"};
}

}  // namespace codecs
}  // namespace lungo
