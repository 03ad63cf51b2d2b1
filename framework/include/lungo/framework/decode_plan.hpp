// DecodePlan: reads the payloads of one writer's shape into a T, made once per pair.
#pragma once

#include <lungo/framework/codec.hpp>

namespace lungo {

template <class T>
class DecodePlan {
 public:
  /// Matches the writer's fields to T's, by name.
  /// Errors: incompatible_shape  both shapes and the field are in the text.
  static Result<DecodePlan> make(const Shape& writer) {
    if (writer == shape_of<T>()) return DecodePlan{};
    return Error{Errc::incompatible_shape,
                 "the writer's shape\n" + writer.to_text() + "the reader's shape\n" + shape_of<T>().to_text()};
  }

  /// Reads one payload into `out`, whose memory is reused.
  /// Errors: undecodable  the bytes break the grammar, or a value does not fit T's field.
  Result<void> decode(BytesView payload, T& out) const { return lungo::decode(payload, out); }
};

}  // namespace lungo
