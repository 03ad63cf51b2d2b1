#include <lungo/framework/decode_plan.hpp>

#include <algorithm>

namespace lungo::detail {

PlanNode PlanMaker::mismatch(std::string_view why) {
  if (!problem_.empty()) return {};
  for (const std::string& field : path_) problem_ += (problem_.empty() ? "" : ".") + field;
  problem_ = (problem_.empty() ? "the event" : "field " + problem_) + ": " + std::string(why);
  return {};
}

PlanNode PlanMaker::mismatch(Shape::TypeId writers, std::string_view readers) {
  return mismatch("the writer has " + data_.writer.type_text(writers) + ", this program " + std::string(readers));
}

Error incompatible(const PlanMaker& maker, const Shape& reader) {
  return Error{Errc::incompatible_shape, std::string(reader.name()) + ", " + maker.problem() +
                                             "; add an `upcast` from a struct of the writer's fields\nthe writer's shape:\n" +
                                             maker.writer().to_text() + "this program's shape:\n" + reader.to_text()};
}

WireInteger read_wire_integer(Reader& in, ShapeKind from) {
  WireInteger value;
  const auto take_signed = [&](std::int64_t number) {
    value.is_signed = true;
    value.as_signed = number;
  };
  switch (from) {
    case ShapeKind::int8:
      take_signed(read_integer<std::int8_t>(in));
      break;
    case ShapeKind::int16:
      take_signed(read_integer<std::int16_t>(in));
      break;
    case ShapeKind::int32:
      take_signed(read_integer<std::int32_t>(in));
      break;
    case ShapeKind::int64:
      take_signed(read_integer<std::int64_t>(in));
      break;
    case ShapeKind::uint8:
      value.as_unsigned = read_integer<std::uint8_t>(in);
      break;
    case ShapeKind::uint16:
      value.as_unsigned = read_integer<std::uint16_t>(in);
      break;
    case ShapeKind::uint32:
      value.as_unsigned = read_integer<std::uint32_t>(in);
      break;
    default:
      value.as_unsigned = read_integer<std::uint64_t>(in);
      break;
  }
  return value;
}

// A struct's fields count one level down: a writer's shape may nest structs in ways that would take for ever to add up.
std::size_t writer_bytes_min(const Shape& shape, Shape::TypeId id) {
  constexpr std::size_t kEnough = 1 << 20;
  const auto without_structs = [&](const auto& self, const Shape::Type& type) -> std::size_t {
    switch (type.kind) {
      case ShapeKind::float32:
        return 4;
      case ShapeKind::float64:
        return 8;
      case ShapeKind::array:
        return std::min<std::uint64_t>(kEnough,
                                       std::min<std::uint64_t>(kEnough, type.length) * self(self, shape.type(type.parts[0])));
      default:
        return 1;
    }
  };
  const Shape::Type& type = shape.type(id);
  if (type.kind != ShapeKind::structure) return without_structs(without_structs, type);
  std::size_t sum = 1;
  for (const Shape::Field& field : shape.structs()[type.index].fields)
    sum += without_structs(without_structs, shape.type(field.type));
  return std::min(sum, kEnough);
}

// Recurses as deep as types nest (Shape::kTypeDepthMax): structs are passed over by their length.
void skip_value(Reader& in, const Shape& shape, Shape::TypeId id) {
  const Shape::Type& type = shape.type(id);
  const auto skip_parts = [&](std::uint64_t count) {
    for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
      for (const Shape::TypeId part : type.parts) skip_value(in, shape, part);
    }
  };
  switch (type.kind) {
    case ShapeKind::unit:
      break;
    case ShapeKind::boolean:
      in.boolean();
      break;
    case ShapeKind::int8:
    case ShapeKind::uint8:
      in.byte();
      break;
    case ShapeKind::int16:
    case ShapeKind::int32:
    case ShapeKind::int64:
    case ShapeKind::uint16:
    case ShapeKind::uint32:
    case ShapeKind::uint64:
      read_wire_integer(in, type.kind);
      break;
    case ShapeKind::float32:
      in.raw(4);
      break;
    case ShapeKind::float64:
      in.raw(8);
      break;
    case ShapeKind::text:
    case ShapeKind::bytes:
    case ShapeKind::structure:
    case ShapeKind::encrypted:
      in.prefixed();
      break;
    case ShapeKind::enumeration:
    case ShapeKind::duration:
    case ShapeKind::time_point:
      skip_parts(1);
      break;
    case ShapeKind::optional:
      skip_parts(in.boolean() ? 1 : 0);
      break;
    case ShapeKind::sequence:
    case ShapeKind::set:
      skip_parts(in.count(1));
      break;
    case ShapeKind::map:
      skip_parts(in.count(2));
      break;
    case ShapeKind::array:
      skip_parts(type.length);
      break;
    case ShapeKind::variant: {
      const std::uint64_t index = in.varint();
      if (index < type.parts.size()) {
        skip_value(in, shape, type.parts[index]);
      } else {
        in.fail("an alternative that the variant does not have");
      }
      break;
    }
  }
}

}  // namespace lungo::detail
