#include <lungo/framework/codec_boost.hpp>

namespace lungo::detail {

void throw_fields_differ(std::string_view type) {
  throw Exception{Error{Errc::invalid_argument,
                        "the serialize of " + std::string(type) +
                            " names other fields than it does for a default-made object; a shape has one set of fields"}};
}

}  // namespace lungo::detail
