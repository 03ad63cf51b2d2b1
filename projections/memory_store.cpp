// The state store in memory: a sorted map per table.
//
// A transaction holds the mutex from begin() to its end and notes what it overwrote, so readers see it whole or not at all.
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <lungo/log/check.hpp>
#include <lungo/projections/state_store.hpp>

#include "cell_codec.hpp"

namespace lungo {
namespace {

struct Table {
  TableSpec spec;
  std::map<std::string, std::string> rows;  // ordered form of the key -> packed row
};

using Names = std::map<std::string, std::shared_ptr<Table>, std::less<>>;

std::string ordered(Cells key) {
  std::string out;
  for (const Cell& cell : key) detail::append_ordered(cell, out);
  return out;
}

bool visit_row(const std::string& packed, const RowVisitor& visit) {
  std::vector<Cell> row;
  unpack_cells(packed, row);
  return visit(row);
}

Result<bool> get_row(const Table& table, Cells key, const RowVisitor& visit) {
  const auto row = table.rows.find(ordered(key));
  if (row == table.rows.end()) return false;
  visit_row(row->second, visit);
  return true;
}

void scan_rows(const Table& table, const KeyRange& range, const RowVisitor& visit) {
  const auto begin = table.rows.lower_bound(ordered(range.from));
  const auto end = range.to.empty() ? table.rows.end() : table.rows.lower_bound(ordered(range.to));
  if (!range.to.empty() && ordered(range.to) <= ordered(range.from)) return;
  std::uint64_t left = range.limit;
  if (range.descending) {
    for (auto row = end; row != begin && left-- > 0;)
      if (!visit_row((--row)->second, visit)) return;
  } else {
    for (auto row = begin; row != end && left-- > 0; ++row)
      if (!visit_row(row->second, visit)) return;
  }
}

/// What the store and its readers share.
struct Shared {
  std::mutex mutex;
  Names names;

  Result<std::shared_ptr<Table>> find(std::string_view name) const {
    const auto table = names.find(name);
    if (table == names.end()) return Error{Errc::not_found, "no table " + std::string(name) + " in memory"};
    return table->second;
  }
};

class MemoryReader final : public RowReader {
 public:
  explicit MemoryReader(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  Result<std::vector<TableSpec>> tables() override {
    const std::lock_guard lock{shared_->mutex};
    std::vector<TableSpec> specs;
    for (const auto& [name, table] : shared_->names) specs.push_back(table->spec);
    return specs;
  }

  Result<bool> get(std::string_view name, Cells key, const RowVisitor& visit) override {
    const std::lock_guard lock{shared_->mutex};
    Result<std::shared_ptr<Table>> table = shared_->find(name);
    if (!table) return table.error();
    return get_row(**table, key, visit);
  }

  Result<void> scan(std::string_view name, const KeyRange& range, const RowVisitor& visit) override {
    const std::lock_guard lock{shared_->mutex};
    Result<std::shared_ptr<Table>> table = shared_->find(name);
    if (!table) return table.error();
    scan_rows(**table, range, visit);
    return {};
  }

 private:
  std::shared_ptr<Shared> shared_;
};

class MemoryStore final : public StateStore {
 public:
  ~MemoryStore() override { rollback(); }

  Result<void> open(const StoreSite&) override { return {}; }
  std::string describe() const override { return "memory"; }
  Result<std::unique_ptr<RowReader>> reader() override { return std::unique_ptr<RowReader>{new MemoryReader{shared_}}; }

  Result<void> begin() override {
    check(!transaction_.owns_lock(), "one transaction at a time");
    transaction_ = std::unique_lock{shared_->mutex};
    names_before_ = shared_->names;
    return {};
  }

  Result<void> commit() override {
    check(transaction_.owns_lock(), "commit() follows begin()");
    undo_.clear();
    transaction_.unlock();
    return {};
  }

  void rollback() override {
    if (!transaction_.owns_lock()) return;
    for (auto entry = undo_.rbegin(); entry != undo_.rend(); ++entry) {
      if (entry->row) {
        entry->table->rows[entry->key] = std::move(*entry->row);
      } else {
        entry->table->rows.erase(entry->key);
      }
    }
    undo_.clear();
    shared_->names = std::move(names_before_);
    for (const auto& [name, table] : shared_->names) table->spec.name = name;
    transaction_.unlock();
  }

  Result<TableId> open_table(const TableSpec& spec) override {
    const Guard guard{*this};
    std::shared_ptr<Table>& table = shared_->names[spec.name];
    if (!table) table = std::make_shared<Table>(Table{spec, {}});
    if (table->spec != spec) return Error{Errc::already_exists, "table " + spec.name + " has other columns"};
    tables_.push_back(table);
    return TableId{static_cast<std::int32_t>(tables_.size() - 1)};
  }

  Result<void> drop_table(const std::string& name) override {
    const Guard guard{*this};
    shared_->names.erase(name);
    return {};
  }

  Result<void> rename_table(const std::string& name, const std::string& new_name) override {
    const Guard guard{*this};
    if (shared_->names.contains(new_name)) return Error{Errc::already_exists, "there is a table " + new_name + " already"};
    auto node = shared_->names.extract(name);
    if (node.empty()) return Error{Errc::not_found, "no table " + name + " in memory"};
    node.key() = new_name;
    node.mapped()->spec.name = new_name;
    shared_->names.insert(std::move(node));
    return {};
  }

  Result<bool> get(TableId id, Cells key, const RowVisitor& visit) override { return get_row(at(id), key, visit); }

  Result<void> put(TableId id, Cells row) override {
    const Guard guard{*this};
    Table& table = at(id);
    std::string packed;
    pack_cells(row, packed);
    replace(id, ordered(row.first(table.spec.key.size())), std::move(packed));
    return {};
  }

  Result<void> erase(TableId id, Cells key) override {
    const Guard guard{*this};
    replace(id, ordered(key), std::nullopt);
    return {};
  }

 private:
  /// Holds the mutex unless the transaction does.
  struct Guard {
    explicit Guard(MemoryStore& store) {
      if (!store.transaction_.owns_lock()) lock = std::unique_lock{store.shared_->mutex};
    }
    std::unique_lock<std::mutex> lock;
  };

  struct Undo {
    std::shared_ptr<Table> table;
    std::string key;
    std::optional<std::string> row;  // before; nothing: there was none
  };

  Table& at(TableId id) {
    const auto index = static_cast<std::size_t>(id.value());
    check(index < tables_.size() && tables_[index] != nullptr, "the table is open");
    return *tables_[index];
  }

  void replace(TableId id, std::string key, std::optional<std::string> row) {
    const std::shared_ptr<Table>& table = tables_[static_cast<std::size_t>(id.value())];
    if (transaction_.owns_lock()) {
      const auto old = table->rows.find(key);
      undo_.push_back({table, key, old == table->rows.end() ? std::nullopt : std::optional{old->second}});
    }
    if (row) {
      table->rows.insert_or_assign(std::move(key), std::move(*row));
    } else {
      table->rows.erase(key);
    }
  }

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::vector<std::shared_ptr<Table>> tables_;  // by TableId
  std::unique_lock<std::mutex> transaction_;
  Names names_before_;
  std::vector<Undo> undo_;
};

}  // namespace

std::unique_ptr<StateStore> memory() { return std::make_unique<MemoryStore>(); }

}  // namespace lungo
