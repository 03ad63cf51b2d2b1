// Events with every kind of field, and random values for them: what the tests of shapes and codecs share.
#pragma once

#include <array>
#include <chrono>
#include <limits>
#include <lungo/framework/codec.hpp>
#include <map>
#include <optional>
#include <string>
#include <tests/support/random.hpp>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

namespace lungo::test {

enum class Device : std::uint8_t { unknown = 0, phone = 1, desktop = 7 };

struct Place {
  double lat = 0, lon = 0;
  std::optional<std::string> city;
  friend bool operator==(const Place&, const Place&) = default;
};

/// A struct that contains itself.
struct Comment {
  std::string text;
  std::vector<Comment> replies;
  friend bool operator==(const Comment&, const Comment&) = default;
};

/// One field of every kind.
struct Everything {
  bool flag = false;
  std::int8_t i8 = 0;
  std::int16_t i16 = 0;
  std::int32_t i32 = 0;
  std::int64_t i64 = 0;
  std::uint8_t u8 = 0;
  std::uint16_t u16 = 0;
  std::uint32_t u32 = 0;
  std::uint64_t u64 = 0;
  char letter = 'a';
  float f32 = 0;
  double f64 = 0;
  std::string text;
  std::vector<std::byte> raw;
  std::vector<std::uint8_t> octets;
  std::array<std::uint8_t, 4> address{};
  Device device{};
  std::chrono::milliseconds spent{};
  std::chrono::sys_time<std::chrono::milliseconds> at;
  std::chrono::sys_time<std::chrono::nanoseconds> exactly;
  std::optional<std::int32_t> width;
  std::variant<std::monostate, std::int32_t, std::string, Place> extra;
  std::vector<std::string> tags;
  std::vector<bool> bits;
  std::array<std::int32_t, 3> triple{};
  std::set<std::int64_t> ids;
  std::unordered_set<std::string> words;
  std::map<std::string, std::string> props;
  std::unordered_map<std::int32_t, double> weights;
  Place place;
  std::optional<Place> origin;
  std::vector<Comment> comments;
  std::deque<std::int32_t> queue;
  friend bool operator==(const Everything&, const Everything&) = default;
};

/// The click event of the speed figures: about 300 bytes.
struct Click {
  std::string url, referrer, user_agent, visitor, session, country;
  std::int64_t at_ms = 0;
  std::int32_t width = 0, height = 0;
  std::uint32_t status = 0;
  bool bot = false;
  std::int64_t bytes = 0;
  std::map<std::string, std::string> props;
  friend bool operator==(const Click&, const Click&) = default;
};

class RandomValues {
 public:
  explicit RandomValues(std::uint64_t seed) : random_(seed) {}

  /// Small numbers, and the borders of the type, more often than a flat distribution would have them.
  template <class Number>
  Number number() {
    if constexpr (std::is_floating_point_v<Number>) {
      return static_cast<Number>(static_cast<double>(static_cast<std::int64_t>(random_.next())) / 1048576.0);
    } else {
      switch (random_.below(4)) {
        case 0:
          return static_cast<Number>(random_.below(4));
        case 1:
          return std::numeric_limits<Number>::max();
        case 2:
          return std::numeric_limits<Number>::min();
        default:
          return static_cast<Number>(random_.next() >> random_.below(64));
      }
    }
  }

  /// Printable text, sometimes not UTF-8.
  std::string text() {
    std::string result;
    for (std::uint64_t left = random_.below(12); left > 0; --left) result += static_cast<char>(' ' + random_.below(90));
    if (random_.one_in(8)) result += static_cast<char>(0x80 + random_.below(128));
    return result;
  }

  Place place() {
    Place value{number<double>(), number<double>(), {}};
    if (random_.one_in(2)) value.city = text();
    return value;
  }

  Comment comment(int depth) {
    Comment value{text(), {}};
    for (std::uint64_t left = depth > 0 ? random_.below(3) : 0; left > 0; --left) value.replies.push_back(comment(depth - 1));
    return value;
  }

  Everything everything();

  Random& random() { return random_; }

 private:
  std::uint64_t few() { return random_.below(4); }

  Random random_;
};

inline Everything RandomValues::everything() {
  Everything e;
  e.flag = random_.one_in(2);
  e.i8 = number<std::int8_t>();
  e.i16 = number<std::int16_t>();
  e.i32 = number<std::int32_t>();
  e.i64 = number<std::int64_t>();
  e.u8 = number<std::uint8_t>();
  e.u16 = number<std::uint16_t>();
  e.u32 = number<std::uint32_t>();
  e.u64 = number<std::uint64_t>();
  e.letter = static_cast<char>(random_.next());
  e.f32 = number<float>();
  e.f64 = number<double>();
  e.text = text();
  for (std::uint64_t left = few(); left > 0; --left) e.raw.push_back(static_cast<std::byte>(random_.next()));
  for (std::uint64_t left = few(); left > 0; --left) e.octets.push_back(static_cast<std::uint8_t>(random_.next()));
  for (std::uint8_t& byte : e.address) byte = static_cast<std::uint8_t>(random_.next());
  e.device = random_.one_in(2) ? Device::phone : Device::desktop;
  e.spent = std::chrono::milliseconds{number<std::int64_t>()};
  e.at = std::chrono::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds{number<std::int64_t>()}};
  e.exactly = std::chrono::sys_time<std::chrono::nanoseconds>{std::chrono::nanoseconds{number<std::int64_t>()}};
  if (random_.one_in(2)) e.width = number<std::int32_t>();
  switch (random_.below(4)) {
    case 0:
      e.extra = number<std::int32_t>();
      break;
    case 1:
      e.extra = text();
      break;
    case 2:
      e.extra = place();
      break;
    default:
      break;
  }
  for (std::uint64_t left = few(); left > 0; --left) e.tags.push_back(text());
  for (std::uint64_t left = few(); left > 0; --left) e.bits.push_back(random_.one_in(2));
  for (std::int32_t& value : e.triple) value = number<std::int32_t>();
  for (std::uint64_t left = few(); left > 0; --left) e.ids.insert(number<std::int64_t>());
  for (std::uint64_t left = few(); left > 0; --left) e.words.insert(text());
  for (std::uint64_t left = few(); left > 0; --left) e.props[text()] = text();
  for (std::uint64_t left = few(); left > 0; --left) e.weights[number<std::int32_t>()] = number<double>();
  e.place = place();
  if (random_.one_in(2)) e.origin = place();
  for (std::uint64_t left = few(); left > 0; --left) e.comments.push_back(comment(3));
  for (std::uint64_t left = few(); left > 0; --left) e.queue.push_back(number<std::int32_t>());
  return e;
}

template <class T>
Bytes encoded(const T& value) {
  Bytes bytes;
  encode(value, bytes);
  return bytes;
}

inline std::string hex(BytesView bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

inline Bytes from_hex(std::string_view text) {
  Bytes bytes;
  unsigned digits = 0;
  unsigned held = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\n') continue;
    held = held << 4 | static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
    if (++digits % 2 == 0) bytes.push_back(static_cast<std::byte>(held & 0xff));
  }
  return bytes;
}

}  // namespace lungo::test
