// The table of types that must not compile. One line of table.py belongs to each: the message that it must give.
// Every case is refused by a static_assert of its own, so that one run of the compiler shows them all.
#include <lungo/framework/aggregates.hpp>
#include <lungo/framework/codec.hpp>
#include <lungo/framework/fold.hpp>
#include <lungo/framework/process.hpp>
#include <lungo/projections/projection.hpp>
#include <lungo/projections/spread_projection.hpp>

namespace refused {

// ---- events and nested structs that are not plain ---------------------------------------------------------------------------

class PrivateMembers {
 public:
  PrivateMembers() = default;

 private:
  int hidden_ = 0;
};
struct Constructor {
  Constructor() {}
  int value = 0;
};
struct Base {
  int z = 0;
};
struct Derived : Base {
  int y = 0;
};
struct CArray {
  int before = 0;
  int list[3] = {};
};
struct Reference {
  int& target;
};
struct ExplicitDefault {
  struct Part {
    explicit Part(int start = 0) : value(start) {}
    int value;
  };
  Part part;
};
struct BitField {
  unsigned flag : 3 = 0;
};
struct ConstMember {
  const int fixed = 3;
};
struct SixtyFive {
  int a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9,
      d0, d1;
  int e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, g0, g1, g2, g3, g4, g5, g6, g7, g8, g9,
      h0, h1, h2;
};
struct NestedClass {
  std::vector<Constructor> list;
};

// ---- fields that are no values ----------------------------------------------------------------------------------------------

struct Target {};
struct RawPointer {
  Target* target = nullptr;
};
struct SmartPointer {
  std::unique_ptr<float> target;
};
struct View {
  std::string_view text;
};
struct Wide {
  wchar_t letter = 0;
};
struct LongDouble {
  long double value = 0;
};
struct MaybeMaybe {
  std::optional<std::optional<short>> value;
};
enum class Truth : bool { no, yes };
struct EnumOverBool {
  Truth value{};
};
struct NoElements {
  std::array<double, 0> values;
};
struct SteadyTime {
  std::chrono::steady_clock::time_point at;
};

void use() {
  lungo::Bytes bytes;
  lungo::shape_of<PrivateMembers>();
  lungo::shape_of<Constructor>();
  lungo::shape_of<Derived>();
  lungo::shape_of<CArray>();
  lungo::shape_of<Reference>();
  lungo::shape_of<ExplicitDefault>();
  lungo::shape_of<BitField>();
  lungo::shape_of<ConstMember>();
  lungo::shape_of<SixtyFive>();
  lungo::encode(NestedClass{}, bytes);
  lungo::encode(RawPointer{}, bytes);
  lungo::encode(SmartPointer{}, bytes);
  lungo::encode(View{}, bytes);
  lungo::encode(Wide{}, bytes);
  lungo::encode(LongDouble{}, bytes);
  lungo::encode(MaybeMaybe{}, bytes);
  lungo::encode(EnumOverBool{}, bytes);
  lungo::encode(NoElements{}, bytes);
  lungo::encode(SteadyTime{}, bytes);
}

// ---- names ------------------------------------------------------------------------------------------------------------------

template <class T>
struct Instance {
  T value{};
};
namespace elsewhere {
struct Target {};
}  // namespace elsewhere
struct Heir {
  static constexpr std::array<std::string_view, 1> event_aliases{"Target"};
};

constexpr auto kInstanceName = lungo::event_name<Instance<int>>();
constexpr auto kSameName = lungo::events<Target, elsewhere::Target>::size;
constexpr auto kSameAlias = lungo::events<Heir, Target>::size;

// ---- folds ------------------------------------------------------------------------------------------------------------------

struct Forgotten {
  int value = 0;
};
struct LacksEvolve {
  using Events = lungo::events<Target, Forgotten>;
  struct State {};
  static State evolve(State state, const Target&) { return state; }
};
static_assert(lungo::check_fold<LacksEvolve>());

struct LacksEvents {
  struct State {};
};
struct ListsNothing {
  using Events = lungo::events<>;
  struct State {};
};
struct NoList {
  using Events = Target;
  struct State {};
};
struct LacksState {
  using Events = lungo::events<Target>;
};
struct NeverStarts {
  using Events = lungo::events<Target>;
  struct State {
    explicit State(int start) : value(start) {}
    int value;
  };
};
static_assert(lungo::check_fold<LacksEvents>());
static_assert(lungo::check_fold<ListsNothing>());
static_assert(lungo::check_fold<NoList>());
static_assert(lungo::check_fold<LacksState>());
static_assert(lungo::check_fold<NeverStarts>());

struct EventlessDecider {
  struct State {};
};
struct StatelessProcess {
  using Events = lungo::events<Target>;
};
constexpr auto kDecider = sizeof(lungo::Aggregates<EventlessDecider>);
constexpr auto kProcess = sizeof(lungo::Process<StatelessProcess>);

struct EvolvesACopy {
  using Events = lungo::events<Target>;
  struct State {
    int count = 0;
  };
  static void evolve(State state, const Target&) { ++state.count; }
};
static_assert(lungo::check_fold<EvolvesACopy>());

// ---- deciders ---------------------------------------------------------------------------------------------------------------

struct Unanswered {};
struct Unlisting {
  using Events = lungo::events<Target>;
  struct State {};
  static State evolve(State state, const Target&) { return state; }
  static std::optional<Forgotten> decide(const State&, int) { return Forgotten{}; }
};
void command(lungo::Aggregates<Unlisting>& aggregates) {
  static_cast<void>(aggregates.execute("1", Unanswered{}));
  static_cast<void>(aggregates.execute("1", 1));
}

// ---- projections ------------------------------------------------------------------------------------------------------------

struct LacksKey {
  using Events = lungo::events<Target>;
  struct State {};
  static std::string key(const lungo::Envelope&, const Target&) { return {}; }
  static State evolve(State state, const Target&) { return state; }
};
struct EventlessRows {
  using Key = std::string;
  struct State {};
};
struct OddKey {
  using Events = lungo::events<Target>;
  using Key = std::string;
  struct State {};
  static int key(const lungo::Envelope&, const Target&) { return 1; }
  static State evolve(State state, const Target&) { return state; }
};
struct Unspread {
  using Events = lungo::events<Target>;
  using Key = std::string;
  struct State {};
  static std::string key(const lungo::Envelope&, const Target&) { return {}; }
  static State evolve(State state, const Target&) { return state; }
};
constexpr auto kOddKey = lungo::detail::key_is_there<OddKey, Target>::value;
constexpr auto kKeyless = sizeof(lungo::Projection<LacksKey>);
constexpr auto kUnspread = sizeof(lungo::SpreadProjection<Unspread>);
constexpr auto kEventless = sizeof(lungo::Projection<EventlessRows>);

}  // namespace refused
