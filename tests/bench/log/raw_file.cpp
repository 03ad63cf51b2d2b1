#include "raw_file.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <vector>

namespace lungo::bench {
namespace {

constexpr std::size_t kPieceBytes = 256u << 10;
constexpr std::size_t kRestBytes = 64u << 10;

void must(bool holds, const char* what) {
  if (!holds) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

RawFile::RawFile(const std::string& path, std::uint64_t reserved_bytes)
    : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  must(file_ >= 0, path.c_str());
  const off_t size = lseek(file_, 0, SEEK_END);
  must(size >= 0, "lseek");
  end_ = static_cast<std::uint64_t>(size);
  if (reserved_bytes == 0) return;
  reserve(reserved_bytes);
  must(fsync(file_) == 0, "fsync");
}

void RawFile::reserve(std::uint64_t bytes) {
  const int done = fallocate(file_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(end_), static_cast<off_t>(bytes));
  must(done == 0, "fallocate");
}

RawFile::~RawFile() { close(file_); }

void RawFile::append(BytesView bytes) {
  const ssize_t written = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(end_));
  must(written == static_cast<ssize_t>(bytes.size()), "pwrite");
  end_ += bytes.size();
}

void RawFile::sync() { must(fdatasync(file_) == 0, "fdatasync"); }

std::uint64_t RawFile::read(const std::function<std::size_t(BytesView)>& piece) {
  thread_local std::vector<std::byte> buffer(kRestBytes + kPieceBytes);
  std::size_t rest = 0;
  for (std::uint64_t position = 0;;) {
    const ssize_t got = pread(file_, buffer.data() + rest, kPieceBytes, static_cast<off_t>(position));
    must(got >= 0, "pread");
    if (got == 0) return position;
    const std::size_t size = rest + static_cast<std::size_t>(got);
    const std::size_t taken = piece(BytesView{buffer.data(), size});
    rest = size - taken;
    if (rest > kRestBytes) throw std::length_error("too much of a piece was left");
    std::memmove(buffer.data(), buffer.data() + taken, rest);
    position += static_cast<std::uint64_t>(got);
  }
}

void RawFile::drop_cache() {
  sync();  // dirty pages stay
  must(posix_fadvise(file_, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
  std::byte byte{};
  const iovec one{&byte, 1};
  const ssize_t got = preadv2(file_, &one, 1, 0, RWF_NOWAIT);
  if (got == 1) errno = EBUSY;
  must(got != 1, "the page cache kept the file");
}

}  // namespace lungo::bench
