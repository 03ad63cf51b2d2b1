#include <lungo/framework/payload_walk.hpp>

#include <lungo/framework/plan_nodes.hpp>

namespace lungo {
namespace {

class Walk {
 public:
  Walk(const Shape& shape, Reader& in, PayloadVisitor& out) : shape_(shape), in_(in), out_(out) {}

  void fields(const Shape::Struct& structure) {
    out_.begin_struct(structure.name);
    for (const Shape::Field& field : structure.fields) {
      if (in_.failed()) return;
      out_.field(field.name);
      value(field.type);
    }
    out_.end_struct();
  }

 private:
  void value(Shape::TypeId id) {
    if (in_.failed()) return;
    const Shape::Type& type = shape_.type(id);
    switch (type.kind) {
      case ShapeKind::boolean:
        return out_.boolean(in_.boolean());
      case ShapeKind::float32:
        return out_.number(in_.floating<float>());
      case ShapeKind::float64:
        return out_.number(in_.floating<double>());
      case ShapeKind::text:
        return out_.text(as_text(in_.prefixed()));
      case ShapeKind::bytes:
        return out_.bytes(in_.prefixed());
      case ShapeKind::encrypted:
        return out_.encrypted(in_.prefixed());
      case ShapeKind::unit:
        return out_.null();
      case ShapeKind::enumeration:
      case ShapeKind::duration:
        return value(type.parts[0]);
      case ShapeKind::time_point:
        return time(type);
      case ShapeKind::optional:
        return in_.boolean() ? value(type.parts[0]) : out_.null();
      case ShapeKind::sequence:
      case ShapeKind::set:
        return list(in_.count(1), type.parts[0]);
      case ShapeKind::array:
        return list(type.length, type.parts[0]);
      case ShapeKind::map:
        return map(type);
      case ShapeKind::variant:
        return variant(type);
      case ShapeKind::structure:
        return nested(shape_.structs()[type.index]);
      default:
        return integer(type.kind);
    }
  }

  void integer(ShapeKind kind) {
    const detail::WireInteger number = detail::read_wire_integer(in_, kind);
    if (number.is_signed) {
      out_.integer(number.as_signed);
    } else {
      out_.unsigned_integer(number.as_unsigned);
    }
  }

  void time(const Shape::Type& type) {
    const ShapeKind rep = shape_.type(type.parts[0]).kind;
    if (!detail::is_integer(rep)) return value(type.parts[0]);
    const detail::WireInteger ticks = detail::read_wire_integer(in_, rep);
    out_.time(ticks.is_signed ? ticks.as_signed : static_cast<std::int64_t>(ticks.as_unsigned), type.num, type.den);
  }

  void list(std::uint64_t count, Shape::TypeId element) {
    out_.begin_list();
    for (std::uint64_t i = 0; i < count && !in_.failed(); ++i) value(element);
    out_.end_list();
  }

  void map(const Shape::Type& type) {
    const bool text_keys = shape_.type(type.parts[0]).kind == ShapeKind::text;
    out_.begin_map(text_keys);
    const std::size_t count = in_.count(2);
    for (std::size_t i = 0; i < count && !in_.failed(); ++i) {
      if (text_keys) {
        out_.text_key(as_text(in_.prefixed()));
        value(type.parts[1]);
      } else {
        out_.begin_list();
        value(type.parts[0]);
        value(type.parts[1]);
        out_.end_list();
      }
    }
    out_.end_map(text_keys);
  }

  void variant(const Shape::Type& type) {
    const std::uint64_t index = in_.varint();
    if (index >= type.parts.size()) return in_.fail("an alternative that the variant does not have");
    out_.begin_alternative(index);
    value(type.parts[index]);
    out_.end_alternative();
  }

  void nested(const Shape::Struct& structure) {
    const std::byte* outer = in_.open();
    fields(structure);
    in_.close(outer);
  }

  const Shape& shape_;
  Reader& in_;
  PayloadVisitor& out_;
};

}  // namespace

Result<void> walk_payload(const Shape& shape, BytesView payload, PayloadVisitor& visitor) {
  Reader reader{payload};
  Walk{shape, reader, visitor}.fields(shape.event());
  return reader.finish(shape.name());
}

}  // namespace lungo
