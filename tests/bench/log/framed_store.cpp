#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "raw_file.hpp"
#include "store.hpp"

namespace lungo::bench {
namespace {

class FramedStore final : public Store {
 public:
  FramedStore(const std::string& directory, Durability durability, std::uint64_t reserved_bytes)
      : file_((std::filesystem::create_directories(directory), directory + "/frames"), reserved_bytes),
        synced_(durability == Durability::synced) {}

  void append(std::string_view value, std::size_t count) override {
    const auto size = static_cast<std::uint32_t>(value.size());
    buffer_.resize(count * (sizeof size + value.size()));
    std::byte* to = buffer_.data();
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(to, &size, sizeof size);
      std::memcpy(to + sizeof size, value.data(), value.size());
      to += sizeof size + value.size();
    }
    file_.append(buffer_);
    if (synced_) file_.sync();
  }

  std::uint64_t scan() override {
    std::uint64_t bytes = 0;
    std::size_t left = 0;
    file_.read([&](BytesView piece) {
      std::size_t position = 0;
      for (std::uint32_t size = 0; piece.size() - position >= sizeof size; position += sizeof size + size) {
        std::memcpy(&size, piece.data() + position, sizeof size);
        if (piece.size() - position - sizeof size < size) break;
        bytes += size;
      }
      left = piece.size() - position;
      return position;
    });
    if (left > 0) throw std::runtime_error("the framed file ends inside a frame");
    return bytes;
  }

 private:
  RawFile file_;
  bool synced_;
  Bytes buffer_;
};

}  // namespace

std::unique_ptr<Store> framed_store(const std::string& directory, Durability durability, std::uint64_t reserved_bytes) {
  return std::make_unique<FramedStore>(directory, durability, reserved_bytes);
}

}  // namespace lungo::bench
