// JSON for events: of a typed value, and of a payload whose shape alone is known.
#pragma once

#include <string>

#include <lungo/framework/shape.hpp>

namespace lungo {

/// A payload as JSON text, by its shape alone.
/// Errors: undecodable  the bytes are no payload of that shape.
Result<std::string> to_json(const Shape& shape, BytesView payload);

}  // namespace lungo
