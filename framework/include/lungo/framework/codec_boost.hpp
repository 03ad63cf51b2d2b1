// For classes that describe themselves with Boost.Serialization: `serialize(ar, version)` with every field named by `nvp`.
//
// Include it wherever such a class is used as an event or a field. The class then has a shape like any other: its fields are
// the names of its nvp, in order. Only Boost's interface is used; the bytes are this project's codec, Boost's archives are
// never read. Free and split forms, private `serialize` (friend boost::serialization::access), C arrays, nested classes and
// base objects (BOOST_SERIALIZATION_BASE_OBJECT_NVP, non-polymorphic) work; fields of the types of field_types.hpp are taken as
// they are, whichever of Boost's container headers are included.
//   `serialize` must name the same fields on every call: it is asked once, with a T{}, which they are. `version` is always the
//   class's present one: what an older program wrote is matched by name (decode_plan.hpp), not by number.
//   A plain struct stays plain, even if it has a `serialize`.
// Threads: pure functions.
#pragma once

#include <boost/serialization/nvp.hpp>
#include <boost/serialization/serialization.hpp>
#include <boost/serialization/version.hpp>
#include <cstring>
#include <string>
#include <vector>

#include <lungo/framework/codec_json.hpp>

namespace lungo {
namespace detail {

template <class F>
struct IsNvp : std::false_type {};
template <class F>
struct IsNvp<boost::serialization::nvp<F>> : std::true_type {};

/// Models Boost's Archive concept: calls `on_field(name, reference)` for each nvp that a `serialize` hands over.
template <bool kSaving, class OnField>
class FieldArchive {
 public:
  using is_saving = std::bool_constant<kSaving>;
  using is_loading = std::bool_constant<!kSaving>;

  explicit FieldArchive(OnField& on_field) : on_field_(on_field) {}

  template <class F>
  FieldArchive& operator&(const F& field) {
    static_assert(IsNvp<F>::value, "lungo: name the field: ar & boost::serialization::make_nvp(\"name\", field)");
    if constexpr (IsNvp<F>::value) take(field.name(), const_cast<F&>(field).value());
    return *this;
  }
  template <class F>
  FieldArchive& operator<<(const F& field) {
    return *this & field;
  }
  template <class F>
  FieldArchive& operator>>(const F& field) {
    return *this & field;
  }

  template <class F>
  const void* register_type(const F* = nullptr) {
    return nullptr;
  }
  void reset_object_address(const void*, const void*) {}
  [[nodiscard]] static unsigned int get_library_version() { return 19; }  // Boost 1.81's

 private:
  template <class F>
  void take(const char* name, F& field) {
    on_field_(std::string_view{name}, const_cast<std::remove_const_t<F>&>(field));
  }
  // A C array is layout-compatible with the std::array that it travels as.
  template <class E, std::size_t N>
  void take(const char* name, E (&field)[N]) {
    take(name, reinterpret_cast<std::array<std::remove_const_t<E>, N>&>(const_cast<std::remove_const_t<E>(&)[N]>(field)));
  }

  OnField& on_field_;
};

template <bool kSaving, class T, class OnField>
void serialize_fields(T& value, OnField on_field) {
  FieldArchive<kSaving, OnField> archive{on_field};
  boost::serialization::serialize_adl(archive, value, boost::serialization::version<T>::value);
}

struct IgnoreField {
  template <class F>
  void operator()(std::string_view, F&) const {}
};

// An aggregate shows its `serialize`; of another class it may be private, so that only calling it can tell.
template <class T>
concept MayHaveSerialize = !std::is_aggregate_v<T> || requires(T& value, FieldArchive<true, IgnoreField>& archive) {
  value.serialize(archive, 0U);
} || requires(T& value, FieldArchive<true, IgnoreField>& archive) { serialize(archive, value, 0U); };

// What is known of a class's fields from its `serialize`.
struct BoostField {
  std::string name;
  ShapeBuilder::Describe describe;
  PlanNode (*make)(PlanMaker&, Shape::TypeId);
};

template <class T>
const std::vector<BoostField>& boost_fields() {
  static const std::vector<BoostField> fields = [] {
    std::vector<BoostField> found;
    T value{};
    serialize_fields<true>(value, [&]<class F>(std::string_view name, F&) {
      found.push_back({std::string(name), &describe_field<F>, &make_node<F>});
    });
    return found;
  }();
  return fields;
}

/// Walks a class's fields in the order that its shape has; `next` says where a `serialize` leaves it.
class BoostOrder {
 public:
  explicit BoostOrder(const std::vector<BoostField>& fields) : fields_(fields) {}
  /// The index of the field that is handed over now, or nothing if it should have been another.
  std::optional<std::size_t> next(std::string_view name) {
    if (at_ == fields_.size() || fields_[at_].name != name) return {};
    return at_++;
  }
  [[nodiscard]] bool complete() const { return at_ == fields_.size(); }

 private:
  const std::vector<BoostField>& fields_;
  std::size_t at_ = 0;
};

[[noreturn]] void throw_fields_differ(std::string_view type);

template <class T>
void run_boost_fields(Reader& in, void* target, const PlanNode& node) {
  const FieldsPlan& plan = *node.fields;
  T& value = target_as<T>(target);
  if (!plan.missing.empty()) value = T{};
  std::vector<const std::byte*> places(boost_fields<T>().size(), nullptr);
  std::vector<const PlanNode*> nodes(places.size(), nullptr);
  for (const FieldsPlan::Step& step : plan.steps) {
    if (step.target != FieldsPlan::kSkip) {
      places[step.target] = in.position();
      nodes[step.target] = &step.node;
    }
    skip_value(in, *plan.writer, step.type);
  }
  const std::byte* end = in.position();
  BoostOrder order{boost_fields<T>()};
  serialize_fields<false>(value, [&](std::string_view name, auto& field) {
    const std::optional<std::size_t> index = order.next(name);
    if (!index) return in.fail("a serialize that names other fields than before");
    if (nodes[*index] == nullptr) return;
    in.rewind(places[*index]);
    run(*nodes[*index], in, field);
  });
  in.rewind(end);
}

// Matches the fields by name, as match_fields (decode_plan.hpp) does for structs whose fields are read at compile time.
template <class T>
bool match_boost_fields(PlanMaker& maker, FieldsPlan& plan, const Shape::Struct& from, bool& exact) {
  const std::vector<BoostField>& fields = boost_fields<T>();
  plan.writer = &maker.writer();
  plan.steps.resize(from.fields.size());
  for (std::size_t i = 0; i < from.fields.size(); ++i) plan.steps[i].type = from.fields[i].type;
  exact = from.fields.size() == fields.size();
  for (std::size_t target = 0; target < fields.size(); ++target) {
    const std::optional<std::size_t> found = find_field<T>(from, fields[target].name);
    if (!found || plan.steps[*found].target != FieldsPlan::kSkip) {
      plan.missing.push_back({target, nullptr, nullptr});
      exact = false;
      continue;
    }
    maker.enter(fields[target].name);
    plan.steps[*found].target = target;
    plan.steps[*found].node = fields[target].make(maker, from.fields[*found].type);
    maker.leave();
    if (plan.steps[*found].node.read == nullptr) return false;
    exact = exact && *found == target && plan.steps[*found].node.exact;
  }
  return true;
}

}  // namespace detail

template <class T>
  requires(std::is_class_v<T> && !HasFields<T> && detail::MayHaveSerialize<T>)
struct foreign_codec<T> {
  static constexpr bool kIsForeign = true;

  static void describe(ShapeBuilder& out) {
    out.name(detail::struct_name<T>());
    describe_fields(out);
  }

  static void describe_fields(ShapeBuilder& out) {
    out.number(detail::boost_fields<T>().size());
    for (const detail::BoostField& field : detail::boost_fields<T>()) {
      out.name(field.name);
      field.describe(out);
    }
  }

  static void write(Writer& out, const T& value) {
    detail::BoostOrder order{detail::boost_fields<T>()};
    detail::serialize_fields<true>(const_cast<T&>(value), [&](std::string_view name, auto& field) {
      if (!order.next(name)) detail::throw_fields_differ(detail::struct_name<T>());
      detail::write_value(out, field);
    });
    if (!order.complete()) detail::throw_fields_differ(detail::struct_name<T>());
  }

  static void read(Reader& in, T& value) {
    detail::BoostOrder order{detail::boost_fields<T>()};
    detail::serialize_fields<false>(value, [&](std::string_view name, auto& field) {
      if (!order.next(name)) return in.fail("a serialize that names other fields than before");
      detail::read_value(in, field);
    });
  }

  static detail::PlanNode make_fields_node(detail::PlanMaker& maker, std::uint32_t structure) {
    return detail::match_with<T>(maker, structure, &detail::match_boost_fields<T>, &detail::run_boost_fields<T>);
  }

  static void visit(PayloadVisitor& out, const T& value) {
    out.begin_struct(detail::struct_name<T>());
    detail::serialize_fields<true>(const_cast<T&>(value), [&](std::string_view name, auto& field) {
      out.field(name);
      detail::visit_value(out, field);
    });
    out.end_struct();
  }

  static bool read_json(detail::JsonPath& path, detail::JsonValue from, T& value) {
    if (!from.is_object()) return path.fail("is no object");
    bool good = true;
    std::size_t found = 0;
    detail::serialize_fields<false>(value, [&](std::string_view name, auto& field) {
      const std::optional<detail::JsonValue> member = from.member(name);
      if (!member || !good) return;
      ++found;
      path.enter(name);
      good = detail::read_json(path, *member, field);
      path.leave();
    });
    if (good && found != from.size()) return path.fail("has a member that the class does not have");
    return good;
  }
};

}  // namespace lungo
