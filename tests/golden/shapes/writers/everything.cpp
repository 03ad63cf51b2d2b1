// One field of every kind, as first written.
#include "print.hpp"

enum class Device : std::uint8_t { unknown = 0, desktop = 7 };
struct Place {
  double lat = 0, lon = 0;
  std::optional<std::string> city;
};
struct Comment {
  std::string text;
  std::vector<Comment> replies;
};
struct Everything {
  bool flag = true;
  std::int8_t i8 = -8;
  std::int16_t i16 = -1600;
  std::int32_t i32 = -320000;
  std::int64_t i64 = -6400000000;
  std::uint8_t u8 = 8;
  std::uint16_t u16 = 1600;
  std::uint32_t u32 = 320000;
  std::uint64_t u64 = 6400000000;
  float f32 = 0.5F;
  double f64 = -0.25;
  std::string text = "text";
  std::vector<std::byte> raw{std::byte{0}, std::byte{255}};
  std::array<std::uint8_t, 4> address{127, 0, 0, 1};
  Device device = Device::desktop;
  std::chrono::milliseconds spent{1500};
  std::chrono::sys_time<std::chrono::milliseconds> at{std::chrono::milliseconds{1'700'000'000'123}};
  std::optional<std::int32_t> width = 640;
  std::optional<std::int32_t> height;
  std::variant<std::monostate, std::int32_t, std::string, Place> extra = Place{1, 2, "Rome"};
  std::vector<std::string> tags{"a", "b"};
  std::vector<bool> bits{true, false};
  std::set<std::int64_t> ids{-1, 1};
  std::unordered_set<std::string> words{"x", "y", "z"};
  std::map<std::string, std::string> props{{"k", "v"}};
  std::unordered_map<std::int32_t, double> weights{{2, 0.5}, {1, 0.25}};
  std::vector<Comment> comments{{"c", {{"d", {}}}}};
};

int main() { return golden::print(Everything{}); }
