#include <rocksdb/db.h>

#include <array>
#include <atomic>
#include <stdexcept>

#include "store.hpp"

namespace lungo::bench {
namespace {

// Keys are big-endian numbers, so that an iterator gives the order of the appends. Its own checksums stay on, as ours do.
class RocksdbStore final : public Store {
 public:
  RocksdbStore(const std::string& directory, Durability durability) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kNoCompression;
    rocksdb::DB* opened = nullptr;
    must(rocksdb::DB::Open(options, directory, &opened));
    db_.reset(opened);
    write_.sync = durability == Durability::synced;
  }

  void append(std::string_view value, std::size_t count) override {
    rocksdb::WriteBatch batch;
    for (std::size_t i = 0; i < count; ++i) {
      std::array<char, 8> key{};
      const std::uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
      for (std::size_t byte = 0; byte < key.size(); ++byte) key[byte] = static_cast<char>(number >> (56 - 8 * byte));
      must(batch.Put({key.data(), key.size()}, {value.data(), value.size()}));
    }
    must(db_->Write(write_, &batch));
  }

  std::uint64_t scan() override {
    std::uint64_t bytes = 0;
    rocksdb::ReadOptions options;
    options.readahead_size = 256u << 10;
    const std::unique_ptr<rocksdb::Iterator> iterator{db_->NewIterator(options)};
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) bytes += iterator->value().size();
    must(iterator->status());
    return bytes;
  }

 private:
  static void must(const rocksdb::Status& status) {
    if (!status.ok()) throw std::runtime_error(status.ToString());
  }

  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_;
  std::atomic<std::uint64_t> next_ = 0;
};

}  // namespace

std::unique_ptr<Store> rocksdb_store(const std::string& directory, Durability durability) {
  return std::make_unique<RocksdbStore>(directory, durability);
}

}  // namespace lungo::bench
