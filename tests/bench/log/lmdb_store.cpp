#include <lmdb.h>

#include <filesystem>
#include <stdexcept>

#include "store.hpp"

namespace lungo::bench {
namespace {

// Keys are native numbers (MDB_INTEGERKEY) and always the largest, so that MDB_APPEND fills pages to the brim: the fastest way
// in that LMDB has without a writable map, which would give up its protection against stray writes. NOSYNC leaves the syncing
// to the operating system, as our `written` does, but here a power cut may also spoil what is old. Its one write transaction is
// the mutex of threads that append.
class LmdbStore final : public Store {
 public:
  LmdbStore(const std::string& directory, Durability durability) {
    std::filesystem::create_directories(directory);
    must(mdb_env_create(&env_));
    must(mdb_env_set_mapsize(env_, 1u << 30));
    must(mdb_env_open(env_, directory.c_str(), durability == Durability::synced ? 0 : MDB_NOSYNC, 0644));
    write([this](MDB_txn* txn) { return mdb_dbi_open(txn, nullptr, MDB_INTEGERKEY, &records_); });
  }
  ~LmdbStore() override { mdb_env_close(env_); }
  LmdbStore(const LmdbStore&) = delete;
  LmdbStore& operator=(const LmdbStore&) = delete;

  void append(std::string_view value, std::size_t count) override {
    write([&](MDB_txn* txn) {
      for (std::size_t i = 0; i < count; ++i, ++next_) {
        MDB_val key{sizeof next_, &next_};
        MDB_val data{value.size(), const_cast<char*>(value.data())};
        if (const int code = mdb_put(txn, records_, &key, &data, MDB_APPEND); code != 0) return code;
      }
      return 0;
    });
  }

  std::uint64_t scan() override {
    MDB_txn* txn = nullptr;
    must(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn));
    MDB_cursor* cursor = nullptr;
    must(mdb_cursor_open(txn, records_, &cursor));
    std::uint64_t bytes = 0;
    MDB_val key{};
    MDB_val data{};
    int code = 0;
    while ((code = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0) bytes += data.mv_size;
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    if (code != MDB_NOTFOUND) must(code);
    return bytes;
  }

 private:
  static void must(int code) {
    if (code != 0) throw std::runtime_error(mdb_strerror(code));
  }
  template <class Work>
  void write(Work work) {
    MDB_txn* txn = nullptr;
    must(mdb_txn_begin(env_, nullptr, 0, &txn));
    must(work(txn));
    must(mdb_txn_commit(txn));
  }

  MDB_env* env_ = nullptr;
  MDB_dbi records_ = 0;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Store> lmdb_store(const std::string& directory, Durability durability) {
  return std::make_unique<LmdbStore>(directory, durability);
}

}  // namespace lungo::bench
