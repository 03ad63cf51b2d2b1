// The table of types that are events and fields as they stand. Compiled by both compilers; nothing runs.
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <lungo/framework/codec_boost.hpp>
#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/fold.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

namespace accepted {

enum class Small : std::uint8_t { one };
enum Unscoped { first };

struct Empty {};
struct Numbers {
  bool flag;
  char letter;
  signed char tiny;
  short i16;
  int i32;
  long i64;
  long long ll;
  unsigned char u8;
  unsigned short u16;
  unsigned u32;
  unsigned long u64;
  float f32;
  double f64;
  std::byte byte;
};
struct Inner {
  std::string text = "default";
  std::optional<int> number;
};
struct Enums {
  Small small{};
  Unscoped unscoped{};
};
struct Times {
  std::chrono::nanoseconds ns{};
  std::chrono::hours hours{};
  std::chrono::duration<double> seconds{};
  std::chrono::sys_days day;
  std::chrono::system_clock::time_point now;
};
struct Containers {
  std::vector<Inner> inners;
  std::vector<bool> bits;
  std::vector<std::byte> raw;
  std::vector<std::uint8_t> octets;
  std::deque<int> deque;
  std::list<std::string> list;
  std::array<Inner, 2> pair;
  std::array<std::byte, 16> hash{};
  std::set<int> set;
  std::unordered_set<std::string> unordered_set;
  std::map<std::string, Inner> map;
  std::unordered_map<int, std::vector<std::map<int, std::string>>> unordered_map;
  std::optional<std::vector<std::optional<int>>> optional;
  std::variant<std::monostate, int, Inner, std::vector<Inner>> variant;
};
struct Tree {  // itself through vector, optional, map
  std::vector<Tree> children;
  std::map<int, Tree> named;
};
struct One {
  std::string only;
};
template <class T>
struct Changed {
  static constexpr std::string_view event_name = "Changed";
  T value{};
};
struct WithFunctions {
  static constexpr int kConstant = 3;
  int value = 0;
  [[nodiscard]] int twice() const { return 2 * value; }
  friend bool operator==(const WithFunctions&, const WithFunctions&) = default;
};
namespace {
struct Hidden {
  int value = 0;
};
}  // namespace

// Everything that may be done with an event, once.
template <class T>
bool use(const T& event) {
  lungo::Bytes bytes;
  lungo::encode(event, bytes);
  T back{};
  const auto plan = lungo::DecodePlan<T>::make(lungo::shape_of<T>());
  return plan && plan->decode(bytes, back) && lungo::from_json<T>(lungo::to_json(event));
}

bool use_all() {
  struct Local {
    int value = 0;
  };
  return use(Empty{}) && use(Numbers{}) && use(Inner{}) && use(Enums{}) && use(Times{}) && use(Containers{}) && use(Tree{}) &&
         use(One{}) && use(Changed<int>{}) && use(WithFunctions{}) && use(Hidden{}) && use(Local{});
}

}  // namespace accepted
