#include "tests/support/sim_bytes.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>

namespace lungo::test {

SimBytes::Piece& SimBytes::own(std::size_t index) {
  std::shared_ptr<Piece>& piece = pieces_[index];
  if (piece.use_count() > 1) piece = std::make_shared<Piece>(*piece);
  piece->hash.reset();
  return *piece;
}

std::size_t SimBytes::read(std::uint64_t at, std::span<std::byte> out) const {
  if (at >= size_) return 0;
  const std::size_t wanted = std::min<std::uint64_t>(out.size(), size_ - at);
  for (std::size_t done = 0; done < wanted;) {
    const Bytes& piece = pieces_[(at + done) / kPieceBytes]->bytes;
    const BytesView rest = BytesView{piece}.subspan((at + done) % kPieceBytes);
    const std::size_t count = std::min(rest.size(), wanted - done);
    std::memcpy(out.data() + done, rest.data(), count);  // ranges::copy goes byte by byte where nothing is optimised
    done += count;
  }
  return wanted;
}

void SimBytes::write(std::uint64_t at, BytesView bytes) {
  if (bytes.empty()) return;
  if (size_ < at + bytes.size()) resize(at + bytes.size());
  while (!bytes.empty()) {
    Piece& piece = own(at / kPieceBytes);
    const std::size_t from = at % kPieceBytes;
    const std::size_t count = std::min(piece.bytes.size() - from, bytes.size());
    std::memcpy(piece.bytes.data() + from, bytes.data(), count);
    bytes = bytes.subspan(count);
    at += count;
  }
}

void SimBytes::resize(std::uint64_t size) {
  const std::size_t count = (size + kPieceBytes - 1) / kPieceBytes;
  const std::size_t old_count = pieces_.size();
  pieces_.resize(count);
  for (std::size_t i = old_count; i < count; ++i) pieces_[i] = std::make_shared<Piece>();
  // All that may have the wrong size: the last one as it was, and everything behind it.
  for (std::size_t i = old_count == 0 ? 0 : std::min(old_count, count) - (count == 0 ? 0 : 1); i < count; ++i) {
    const std::size_t wanted = std::min<std::uint64_t>(kPieceBytes, size - i * kPieceBytes);
    if (pieces_[i]->bytes.size() != wanted) own(i).bytes.resize(wanted);
  }
  size_ = size;
}

std::size_t SimBytes::hash() const {
  std::size_t hash = size_;
  for (const std::shared_ptr<Piece>& piece : pieces_) {
    if (!piece->hash) {
      const auto* const text = reinterpret_cast<const char*>(piece->bytes.data());
      piece->hash = std::hash<std::string_view>{}({text, piece->bytes.size()});
    }
    hash = (hash ^ *piece->hash) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace lungo::test
