#include "cell_codec.hpp"

#include <bit>
#include <cstring>

#include <lungo/log/check.hpp>

namespace lungo {
namespace {

enum Tag : char { kNull = 0, kInteger = 1, kReal = 2, kText = 3, kBlob = 4 };

void append_big_endian(std::uint64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>((value >> shift) & 0xff));
}

void append_escaped(std::string_view bytes, std::string& out) {
  for (std::size_t zero = bytes.find('\0'); zero != std::string_view::npos; zero = bytes.find('\0')) {
    out.append(bytes.substr(0, zero + 1));
    out.push_back('\xff');
    bytes.remove_prefix(zero + 1);
  }
  out.append(bytes);
  out.append(2, '\0');
}

std::uint64_t order_of(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value);  // -0.0 equals 0.0
  constexpr std::uint64_t kSign = 1ull << 63;
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

void pack_bytes(Tag tag, std::string_view bytes, std::string& out) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  out.push_back(tag);
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  out.append(bytes);
}

template <class T>
T take(std::string_view& packed) {
  T value;
  check(packed.size() >= sizeof value, "a packed row is whole");
  std::memcpy(&value, packed.data(), sizeof value);
  packed.remove_prefix(sizeof value);
  return value;
}

std::string_view take_bytes(std::string_view& packed) {
  const auto size = take<std::uint32_t>(packed);
  check(packed.size() >= size, "a packed row is whole");
  const std::string_view bytes = packed.substr(0, size);
  packed.remove_prefix(size);
  return bytes;
}

}  // namespace

void detail::append_ordered(const Cell& cell, std::string& out) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) {
    out.push_back(kInteger);
    append_big_endian(static_cast<std::uint64_t>(*integer) ^ (1ull << 63), out);
  } else if (const auto* real = std::get_if<double>(&cell)) {
    out.push_back(kReal);
    append_big_endian(order_of(*real), out);
  } else if (const auto* text = std::get_if<std::string_view>(&cell)) {
    out.push_back(kText);
    append_escaped(*text, out);
  } else if (const auto* blob = std::get_if<BytesView>(&cell)) {
    out.push_back(kBlob);
    append_escaped(as_text(*blob), out);
  } else {
    out.push_back(kNull);
  }
}

void pack_cells(Cells row, std::string& out) {
  for (const Cell& cell : row) {
    if (const auto* integer = std::get_if<std::int64_t>(&cell)) {
      out.push_back(kInteger);
      out.append(reinterpret_cast<const char*>(integer), sizeof *integer);
    } else if (const auto* real = std::get_if<double>(&cell)) {
      out.push_back(kReal);
      out.append(reinterpret_cast<const char*>(real), sizeof *real);
    } else if (const auto* text = std::get_if<std::string_view>(&cell)) {
      pack_bytes(kText, *text, out);
    } else if (const auto* blob = std::get_if<BytesView>(&cell)) {
      pack_bytes(kBlob, as_text(*blob), out);
    } else {
      out.push_back(kNull);
    }
  }
}

void unpack_cells(std::string_view packed, std::vector<Cell>& out) {
  out.clear();
  while (!packed.empty()) {
    switch (take<char>(packed)) {
      case kInteger:
        out.emplace_back(take<std::int64_t>(packed));
        break;
      case kReal:
        out.emplace_back(take<double>(packed));
        break;
      case kText:
        out.emplace_back(take_bytes(packed));
        break;
      case kBlob:
        out.emplace_back(as_bytes(take_bytes(packed)));
        break;
      default:
        out.emplace_back();
        break;
    }
  }
}

}  // namespace lungo
