#include <lungo/framework/shape.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <set>

#include <lungo/log/check.hpp>
#include <lungo/log/text.hpp>

// Canonical bytes (docs/reference/shape.md):
//   shape  := 'L' 'S' version(1) count struct{count}        the first struct is the event
//   struct := name count field{count}
//   field  := name type
//   name   := length bytes{length}
//   type   := kind parameters
// Numbers are unsigned LEB128 without needless bytes. A struct is numbered when it is first referred to, in reading order.

namespace lungo {
namespace {

constexpr std::uint8_t kVersion = 1;

ShapeHash hash_of(BytesView canonical) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  check(EVP_Digest(canonical.data(), canonical.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1 && size == 32,
        "OpenSSL computes SHA-256");
  ShapeHash hash{};
  std::transform(digest.begin(), digest.begin() + hash.size(), hash.begin(), [](unsigned char c) { return std::byte{c}; });
  return hash;
}

void put_number(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::byte>(value | 0x80));
  out.push_back(static_cast<std::byte>(value));
}

bool is_integer(ShapeKind kind) { return kind >= ShapeKind::int8 && kind <= ShapeKind::uint64; }
bool is_float(ShapeKind kind) { return kind == ShapeKind::float32 || kind == ShapeKind::float64; }

}  // namespace

// Reads canonical bytes into a Shape. The first thing wrong is kept in `problem_`, and every later read returns zero.
class ShapeParser {
 public:
  explicit ShapeParser(BytesView bytes) : bytes_(bytes) {}

  Result<Shape> run() {
    if (bytes_.size() > Shape::kBytesMax) return Error{Errc::corrupt, "shape: larger than 64 KiB"};
    if (byte() != 'L' || byte() != 'S') return Error{Errc::corrupt, "shape: does not begin with LS"};
    const std::uint8_t version = byte();
    if (problem_ == nullptr && version > kVersion) {
      return Error{Errc::newer_format, "shape: version " + std::to_string(version) + " is newer than this program"};
    }
    if (version != kVersion) fail("no version");
    const std::uint64_t structs = count("number of structs", 1);
    if (structs == 0) fail("no struct");
    for (std::uint64_t i = 0; i < structs && problem_ == nullptr; ++i) read_struct();
    if (problem_ == nullptr && next_struct_ != structs) fail("a struct that nothing refers to");
    if (problem_ == nullptr && at_ != bytes_.size()) fail("bytes left over");
    if (problem_ != nullptr) return Error{Errc::corrupt, "shape: " + std::string(problem_) + " at byte " + std::to_string(at_)};
    shape_.canonical_.assign(bytes_.begin(), bytes_.end());
    shape_.hash_ = hash_of(bytes_);
    return std::move(shape_);
  }

 private:
  void fail(const char* what) {
    if (problem_ == nullptr) problem_ = what;
  }

  std::uint8_t byte() {
    if (problem_ != nullptr) return 0;
    if (at_ == bytes_.size()) {
      fail("the bytes end early");
      return 0;
    }
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      if (shift == 63 && next > 1) break;
      value |= static_cast<std::uint64_t>(next & 0x7f) << shift;
      if (next < 0x80) {
        if (next == 0 && shift > 0) fail("a number with needless bytes");
        return problem_ == nullptr ? value : 0;
      }
    }
    fail("a number above 64 bits");
    return 0;
  }

  // A count of things that take at least `bytes_each` bytes.
  std::uint64_t count(const char* what, std::size_t bytes_each) {
    const std::uint64_t value = number();
    if (value > (bytes_.size() - at_) / bytes_each) {
      fail(what);
      return 0;
    }
    return value;
  }

  std::string name(bool may_be_empty) {
    const std::uint64_t length = count("a name's length", 1);
    if (length > Shape::kNameBytesMax) fail("a name above 255 bytes");
    if (length == 0 && !may_be_empty) fail("an empty name");
    if (problem_ != nullptr) return {};
    std::string text{as_text(bytes_.subspan(at_, length))};
    at_ += length;
    const bool printable =
        std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
    if (!printable) fail("a control character in a name");
    return text;
  }

  void read_struct() {
    Shape::Struct result;
    result.name = name(!shape_.structs_.empty());
    const std::uint64_t fields = count("number of fields", 3);
    if (fields > Shape::kFieldsMax) fail("more than 1024 fields");
    std::set<std::string_view> seen;
    result.fields.reserve(problem_ == nullptr ? fields : 0);
    for (std::uint64_t i = 0; i < fields && problem_ == nullptr; ++i) {
      std::string field = name(false);
      const Shape::TypeId type = read_type(0, false);
      result.fields.push_back({std::move(field), type});
      if (!seen.insert(result.fields.back().name).second) fail("two fields of one name");
    }
    shape_.structs_.push_back(std::move(result));
  }

  Shape::TypeId part(std::size_t depth, bool in_variant = false) { return read_type(depth + 1, in_variant); }

  Shape::TypeId read_type(std::size_t depth, bool in_variant) {
    if (depth > Shape::kTypeDepthMax) fail("types nested too deep");
    Shape::Type type;
    type.kind = static_cast<ShapeKind>(byte());
    if (problem_ != nullptr) return 0;
    switch (type.kind) {
      case ShapeKind::boolean:
      case ShapeKind::int8:
      case ShapeKind::int16:
      case ShapeKind::int32:
      case ShapeKind::int64:
      case ShapeKind::uint8:
      case ShapeKind::uint16:
      case ShapeKind::uint32:
      case ShapeKind::uint64:
      case ShapeKind::float32:
      case ShapeKind::float64:
      case ShapeKind::text:
      case ShapeKind::bytes:
        break;
      case ShapeKind::unit:
        if (!in_variant) fail("a unit outside of a variant");
        break;
      case ShapeKind::enumeration:
        type.parts.push_back(part(depth));
        if (!is_integer(kind_of(type.parts))) fail("an enumeration over no integer");
        break;
      case ShapeKind::duration:
      case ShapeKind::time_point: {
        type.parts.push_back(part(depth));
        const ShapeKind rep = kind_of(type.parts);
        if (!is_integer(rep) && !is_float(rep)) fail("ticks of no number");
        type.num = number();
        type.den = number();
        if (type.num == 0 || type.den == 0) fail("a tick of no length");
        break;
      }
      case ShapeKind::optional:
        type.parts.push_back(part(depth));
        if (kind_of(type.parts) == ShapeKind::optional) fail("an optional of an optional");
        break;
      case ShapeKind::sequence:
      case ShapeKind::set:
      case ShapeKind::encrypted:
        type.parts.push_back(part(depth));
        break;
      case ShapeKind::array:
        type.length = number();
        if (type.length == 0) fail("an array of nothing");
        type.parts.push_back(part(depth));
        break;
      case ShapeKind::map:
        type.parts.push_back(part(depth));
        type.parts.push_back(part(depth));
        break;
      case ShapeKind::variant: {
        const std::uint64_t alternatives = count("number of alternatives", 1);
        if (alternatives == 0) fail("a variant of nothing");
        for (std::uint64_t i = 0; i < alternatives && problem_ == nullptr; ++i) type.parts.push_back(part(depth, true));
        break;
      }
      case ShapeKind::structure: {
        const std::uint64_t index = number();
        if (index > next_struct_) fail("a struct out of order");
        if (index == next_struct_) ++next_struct_;
        type.index = static_cast<std::uint32_t>(index);
        break;
      }
      default:
        fail("an unknown kind of type");
    }
    shape_.types_.push_back(std::move(type));
    return static_cast<Shape::TypeId>(shape_.types_.size() - 1);
  }

  [[nodiscard]] ShapeKind kind_of(const std::vector<Shape::TypeId>& parts) const {
    return problem_ == nullptr ? shape_.types_[parts.front()].kind : ShapeKind{};
  }

  BytesView bytes_;
  std::size_t at_ = 0;
  std::uint64_t next_struct_ = 1;  // the event itself is 0
  const char* problem_ = nullptr;
  Shape shape_;
};

Result<Shape> Shape::parse(BytesView canonical) { return ShapeParser{canonical}.run(); }

std::string to_string(const ShapeHash& hash) { return to_hex(hash); }

std::string Shape::type_text(TypeId id) const {
  const Type& type = types_[id];
  const auto part = [&](std::size_t i) { return type_text(type.parts[i]); };
  switch (type.kind) {
    case ShapeKind::boolean:
      return "bool";
    case ShapeKind::int8:
      return "int8";
    case ShapeKind::int16:
      return "int16";
    case ShapeKind::int32:
      return "int32";
    case ShapeKind::int64:
      return "int64";
    case ShapeKind::uint8:
      return "uint8";
    case ShapeKind::uint16:
      return "uint16";
    case ShapeKind::uint32:
      return "uint32";
    case ShapeKind::uint64:
      return "uint64";
    case ShapeKind::float32:
      return "float";
    case ShapeKind::float64:
      return "double";
    case ShapeKind::text:
      return "string";
    case ShapeKind::bytes:
      return "bytes";
    case ShapeKind::unit:
      return "monostate";
    case ShapeKind::enumeration:
      return "enum<" + part(0) + ">";
    case ShapeKind::duration:
    case ShapeKind::time_point:
      return (type.kind == ShapeKind::duration ? "duration<" : "time<") + part(0) + ", " + std::to_string(type.num) + "/" +
             std::to_string(type.den) + ">";
    case ShapeKind::optional:
      return "optional<" + part(0) + ">";
    case ShapeKind::sequence:
      return "vector<" + part(0) + ">";
    case ShapeKind::array:
      return "array<" + part(0) + ", " + std::to_string(type.length) + ">";
    case ShapeKind::set:
      return "set<" + part(0) + ">";
    case ShapeKind::map:
      return "map<" + part(0) + ", " + part(1) + ">";
    case ShapeKind::encrypted:
      return "encrypted<" + part(0) + ">";
    case ShapeKind::variant: {
      std::string text = "variant<";
      for (std::size_t i = 0; i < type.parts.size(); ++i) text += (i == 0 ? "" : ", ") + part(i);
      return text + ">";
    }
    case ShapeKind::structure: {
      const std::string& name = structs_[type.index].name;
      return name.empty() ? "struct#" + std::to_string(type.index) : name;
    }
  }
  return "?";
}

std::string Shape::to_text() const {
  std::string text;
  for (std::size_t i = 0; i < structs_.size(); ++i) {
    const std::string name = structs_[i].name.empty() ? "struct#" + std::to_string(i) : structs_[i].name;
    text += "struct " + name + " {\n";
    for (const Field& field : structs_[i].fields) text += "  " + type_text(field.type) + " " + field.name + ";\n";
    text += "};\n";
  }
  return text;
}

void ShapeBuilder::number(std::uint64_t value) { put_number(out_, value); }

void ShapeBuilder::name(std::string_view text) {
  number(text.size());
  const BytesView bytes = as_bytes(text);
  out_.insert(out_.end(), bytes.begin(), bytes.end());
}

void ShapeBuilder::structure(TypeKey type, Describe describe) {
  const auto [found, is_new] = known_.emplace(type, known_.size());
  kind(ShapeKind::structure);
  number(found->second);
  if (is_new) waiting_.push_back(describe);
}

Shape ShapeBuilder::build(TypeKey event, Describe describe) {
  ShapeBuilder builder;
  builder.known_.emplace(event, 0);
  builder.waiting_.push_back(describe);
  for (; !builder.waiting_.empty(); builder.waiting_.pop_front()) builder.waiting_.front()(builder);

  Bytes canonical{std::byte{'L'}, std::byte{'S'}, std::byte{kVersion}};
  put_number(canonical, builder.known_.size());
  canonical.insert(canonical.end(), builder.out_.begin(), builder.out_.end());
  return Shape::parse(canonical).value();
}

}  // namespace lungo
