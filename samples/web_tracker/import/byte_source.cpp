#include "import/byte_source.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include <lungo/log/check.hpp>

#include "import/access_line.hpp"

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

constexpr std::size_t kPeekBytes = 4096;
constexpr std::size_t kInflateBytes = 128u << 10;
constexpr std::string_view kGzipMagic = "\x1f\x8b";

Error system_error(const std::string& path) {
  const int code = errno;
  // Standard input may be silent for ever: whoever sends a signal wants to be heard.
  if (code == EINTR) return {Errc::canceled, path + ": a signal interrupted the reading"};
  return {code == ENOENT ? Errc::not_found : Errc::io, path + ": " + std::strerror(code)};
}

FileIdentity identity_from(const struct stat& status) {
  return {.device = static_cast<std::uint64_t>(status.st_dev), .inode = static_cast<std::uint64_t>(status.st_ino)};
}

// An open file, or standard input, of which the first bytes can be looked at before they are read.
class OpenFile {
 public:
  static Result<std::unique_ptr<OpenFile>> open(const std::string& path) {
    const bool is_stdin = path == "-";
    const int descriptor = is_stdin ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (descriptor < 0) return system_error(path);
    std::unique_ptr<OpenFile> file{new OpenFile{path, descriptor}};
    if (::fstat(descriptor, &file->status_) != 0) return system_error(path);
    if (S_ISDIR(file->status_.st_mode)) return Error{Errc::unsupported, path + " is a directory; name a log file in it"};
    const Result<void> peeked = file->peek();
    if (!peeked) return peeked.error();
    return file;
  }
  ~OpenFile() {
    if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  Result<std::size_t> read(std::span<char> out) {
    if (!peeked_.empty()) {
      const std::size_t size = std::min(out.size(), peeked_.size());
      std::copy_n(peeked_.begin(), size, out.begin());
      peeked_.erase(0, size);
      position_ += size;
      return size;
    }
    if (!is_regular()) {
      pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
      const int ready = ::poll(&waiting, 1, static_cast<int>(kSilenceMax.count()));
      if (ready < 0) return system_error(path_);
      if (ready == 0) return Error{Errc::timed_out, path_ + " is silent"};
    }
    const ssize_t got = ::read(descriptor_, out.data(), out.size());
    if (got < 0) return system_error(path_);
    position_ += static_cast<std::size_t>(got);
    return static_cast<std::size_t>(got);
  }
  /// Regular files only.
  Result<std::uint64_t> seek_forward(std::uint64_t bytes) {
    struct stat now {};
    if (::fstat(descriptor_, &now) != 0) return system_error(path_);
    const std::uint64_t size = static_cast<std::uint64_t>(now.st_size);
    const std::uint64_t skipped = std::min(bytes, size > position_ ? size - position_ : 0);
    position_ += skipped;
    peeked_.clear();
    if (::lseek(descriptor_, static_cast<off_t>(position_), SEEK_SET) < 0) return system_error(path_);
    return skipped;
  }
  Result<void> rewind() {
    if (!is_regular()) return Error{Errc::unsupported, path_ + " can be read once only"};
    if (::lseek(descriptor_, 0, SEEK_SET) < 0) return system_error(path_);
    peeked_.clear();
    position_ = 0;
    return {};
  }
  [[nodiscard]] bool is_regular() const { return S_ISREG(status_.st_mode); }
  [[nodiscard]] bool is_stdin() const { return descriptor_ == STDIN_FILENO; }
  [[nodiscard]] std::string_view peeked() const { return peeked_; }
  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t size() const {
    struct stat now {};
    return is_regular() && ::fstat(descriptor_, &now) == 0 ? static_cast<std::uint64_t>(now.st_size) : 0;
  }
  [[nodiscard]] FileIdentity identity() const { return identity_from(status_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  OpenFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  Result<void> peek() {
    std::array<char, kPeekBytes> block;
    while (peeked_.size() < block.size()) {
      const ssize_t got = ::read(descriptor_, block.data(), block.size() - peeked_.size());
      if (got < 0) return system_error(path_);
      if (got == 0) break;
      peeked_.append(block.data(), static_cast<std::size_t>(got));
      // A pipe: what came must not wait for more.
      if (!is_regular() && (peeked_.find('\n') != peeked_.npos || peeked_.starts_with(kGzipMagic))) break;
    }
    return {};
  }

  std::string path_;
  int descriptor_;
  struct stat status_ {};
  std::string peeked_;
  std::uint64_t position_ = 0;
};

class PlainSource final : public ByteSource {
 public:
  explicit PlainSource(std::unique_ptr<OpenFile> file) : file_(std::move(file)) {}
  Result<std::size_t> read(std::span<char> out) override { return file_->read(out); }
  Result<std::uint64_t> skip(std::uint64_t bytes) override {
    return file_->is_regular() ? file_->seek_forward(bytes) : ByteSource::skip(bytes);
  }
  Result<void> rewind() override { return file_->rewind(); }
  [[nodiscard]] bool can_rewind() const override { return file_->is_regular(); }
  [[nodiscard]] std::uint64_t stored_bytes_read() const override { return file_->position(); }
  [[nodiscard]] std::uint64_t stored_bytes_total() const override { return file_->size(); }
  [[nodiscard]] FileIdentity identity() const override { return file_->identity(); }
  [[nodiscard]] bool can_grow() const override { return file_->is_regular() && !file_->is_stdin(); }

 private:
  std::unique_ptr<OpenFile> file_;
};

class GzipSource final : public ByteSource {
 public:
  static Result<std::unique_ptr<ByteSource>> open(std::unique_ptr<OpenFile> file) {
    std::unique_ptr<GzipSource> source{new GzipSource{std::move(file)}};
    // 16: a gzip wrapper; 15: the largest window.
    if (inflateInit2(&source->stream_, 16 + 15) != Z_OK) return Error{Errc::io, "zlib could not start"};
    source->started_ = true;
    return std::unique_ptr<ByteSource>{std::move(source)};
  }
  ~GzipSource() override {
    if (started_) inflateEnd(&stream_);
  }

  Result<std::size_t> read(std::span<char> out) override {
    std::size_t given = 0;
    while (given == 0 && !damage_ && !out.empty()) {
      Result<bool> more = fill();
      if (!more) return more.error();
      if (!*more && place_ == Place::inside_member) {
        damage_ = damaged("ends in the middle of its compressed data; the file is not complete");
      }
      if (!*more) break;
      if (place_ == Place::behind_member && !begin_next_member()) continue;
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), 1u << 30));
      const uInt room = stream_.avail_out;
      place_ = Place::inside_member;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      given = room - stream_.avail_out;
      if (code == Z_STREAM_END) {
        place_ = Place::behind_member;
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        damage_ = damaged(stream_.msg != nullptr ? stream_.msg : "is damaged");
      }
    }
    // What came out before the damage goes first; then every call tells, as a clean end would hide what is missing.
    if (given == 0 && damage_) return *damage_;
    return given;
  }
  Result<void> rewind() override {
    Result<void> rewound = file_->rewind();
    if (!rewound) return rewound;
    if (inflateReset(&stream_) != Z_OK) return Error{Errc::io, "zlib could not start anew"};
    stream_.avail_in = 0;
    place_ = Place::before_first;
    damage_.reset();
    return {};
  }
  [[nodiscard]] bool can_rewind() const override { return file_->is_regular(); }
  [[nodiscard]] std::uint64_t stored_bytes_read() const override { return file_->position() - stream_.avail_in; }
  [[nodiscard]] std::uint64_t stored_bytes_total() const override { return file_->size(); }
  [[nodiscard]] FileIdentity identity() const override { return file_->identity(); }
  [[nodiscard]] bool can_grow() const override { return false; }

 private:
  explicit GzipSource(std::unique_ptr<OpenFile> file) : file_(std::move(file)), input_(kInflateBytes) {}

  Error damaged(const std::string& what) const {
    return {Errc::corrupt, file_->path() + " " + what + " (gzip, at byte " + std::to_string(stored_bytes_read()) + ")"};
  }

  // False at the end of the file.
  Result<bool> fill() {
    if (stream_.avail_in > 0) return true;
    Result<std::size_t> got = file_->read(input_);
    if (!got) return got.error();
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(*got);
    return *got > 0;
  }

  // Behind a member there may be another one, or the zeros with which tapes and block devices are filled up. True when one
  // begins in the input that is there.
  bool begin_next_member() {
    while (stream_.avail_in > 0 && *stream_.next_in == 0) {
      ++stream_.next_in;
      --stream_.avail_in;
    }
    if (stream_.avail_in == 0) return false;
    if (*stream_.next_in != 0x1f) {
      damage_ = damaged("has bytes behind its compressed data that are no gzip");
      return false;
    }
    lungo::check(inflateReset(&stream_) == Z_OK, "zlib starts anew on a stream that it ended itself");
    return true;
  }

  enum class Place { before_first, inside_member, behind_member };

  std::unique_ptr<OpenFile> file_;
  std::vector<char> input_;
  z_stream stream_{};
  bool started_ = false;
  Place place_ = Place::before_first;
  std::optional<Error> damage_;
};

// Name of a compression that we do not read, by the file's first bytes.
std::string_view foreign_compression(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (bytes.starts_with("\x28\xb5\x2f\xfd"sv)) return "zstd";
  if (bytes.starts_with("\xfd"
                        "7zXZ\x00"sv))
    return "xz";
  if (bytes.starts_with("BZh"sv)) return "bzip2";
  if (bytes.starts_with("PK\x03\x04"sv)) return "zip";
  if (bytes.starts_with("\x04\x22\x4d\x18"sv)) return "lz4";
  return {};
}

// Odd bytes happen in logs; a file of nothing else is the wrong file.
bool looks_binary(std::string_view bytes) {
  if (bytes.find('\0') == bytes.npos) return false;
  AccessLine line;
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
    if (!parse_access_line(bytes.substr(begin, end - begin), line)) return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace

Result<std::uint64_t> ByteSource::skip(std::uint64_t bytes) {
  std::vector<char> scratch(256u << 10);
  std::uint64_t skipped = 0;
  while (skipped < bytes) {
    const std::uint64_t wanted = std::min<std::uint64_t>(scratch.size(), bytes - skipped);
    Result<std::size_t> got = read(std::span{scratch}.first(static_cast<std::size_t>(wanted)));
    if (!got) return got.error();
    if (*got == 0) break;
    skipped += *got;
  }
  return skipped;
}

Result<std::unique_ptr<ByteSource>> open_source(const std::string& path) {
  Result<std::unique_ptr<OpenFile>> file = OpenFile::open(path);
  if (!file) return file.error();
  const std::string_view first = (*file)->peeked();
  if (first.starts_with(kGzipMagic)) return GzipSource::open(std::move(*file));
  if (const std::string_view other = foreign_compression(first); !other.empty()) {
    return Error{Errc::unsupported,
                 path + " is compressed by " + std::string{other} + "; unpack it and give it as plain text or '-'"};
  }
  if (looks_binary(first)) {
    return Error{Errc::unsupported,
                 path + " is a binary file, not an access log: it begins with NUL bytes and no line that can be read"};
  }
  return std::unique_ptr<ByteSource>{std::make_unique<PlainSource>(std::move(*file))};
}

Result<void> check_can_be_followed(const std::string& path) {
  const std::string refusal = path + " can't be followed: it is ";
  if (path == "-") return Error{Errc::unsupported, refusal + "standard input; import it instead"};
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return system_error(path);
  if (S_ISDIR(status.st_mode)) return Error{Errc::unsupported, refusal + "a directory; name a log file in it"};
  if (!S_ISREG(status.st_mode)) return Error{Errc::unsupported, refusal + "no regular file; import it instead"};
  return {};
}

Result<FileIdentity> identity_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return system_error(path);
  return identity_from(status);
}

}  // namespace tracker
