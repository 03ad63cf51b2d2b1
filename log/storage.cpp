#include <lungo/log/storage.hpp>

#include <filesystem>

namespace lungo {

Result<FileHandle> File::handle() { return Error{Errc::unsupported, "this storage has no file descriptors"}; }

namespace {

Result<void> write_new_file(Storage& storage, const std::string& path, BytesView bytes) {
  Result<std::unique_ptr<File>> file = storage.open(path, OpenMode::create);
  if (!file) return file.error();
  // A crash may have left an older temporary file.
  if (Result<void> emptied = (*file)->truncate(0); !emptied) return emptied;
  if (Result<void> written = (*file)->write_at(0, bytes); !written) return written;
  return (*file)->sync();  // before the rename, or a crash leaves the name with no bytes behind it
}

}  // namespace

std::string parent_directory(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

Result<void> write_file_atomically(Storage& storage, const std::string& path, BytesView bytes) {
  const std::string temporary = path + ".tmp";
  Result<void> done = write_new_file(storage, temporary, bytes);
  if (done) done = storage.rename(temporary, path);
  if (!done) {
    static_cast<void>(storage.remove(temporary));  // best effort: the next call overwrites it
    return done;
  }
  return storage.sync_directory(parent_directory(path));
}

Result<Bytes> read_file(Storage& storage, const std::string& path, std::uint64_t limit) {
  const Result<std::unique_ptr<File>> file = storage.open(path, OpenMode::read);
  if (!file) return file.error();
  const Result<std::uint64_t> size = (*file)->size();
  if (!size) return size.error();
  if (*size > limit) {
    return Error{Errc::too_large, path + " has " + std::to_string(*size) + " bytes, expected at most " + std::to_string(limit)};
  }
  Bytes bytes(*size);
  const Result<std::size_t> read = (*file)->read_at(0, bytes);
  if (!read) return read.error();
  bytes.resize(*read);  // it may have shrunk meanwhile
  return bytes;
}

Result<void> make_directories_durably(Storage& storage, const std::string& path) {
  const Result<bool> present = storage.exists(path);
  if (!present) return present.error();
  const std::string parent = parent_directory(path);
  if (*present) {
    // A process that was killed behind the mkdir may have left a name that the next power cut takes, with all that we put into
    // it. Tried, not demanded: a directory that was always there may lie in one that we are not allowed to read.
    static_cast<void>(storage.sync_directory(parent).has_value());
    return {};
  }
  if (Result<void> made = make_directories_durably(storage, parent); !made) return made;
  if (Result<void> made = storage.make_directories(path); !made) return made;
  return storage.sync_directory(parent);
}

}  // namespace lungo
