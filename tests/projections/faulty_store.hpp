// A state store that refuses or throws where a test says so.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <lungo/projections/state_store.hpp>

namespace lungo::test {

/// What the store is told to answer; nothing: it works. A function may throw as well.
struct StoreFaults {
  std::function<std::optional<Error>()> on_get = [] { return std::nullopt; };
  std::function<std::optional<Error>()> on_commit = [] { return std::nullopt; };
};

class FaultyStore final : public StateStore {
 public:
  /// `faults` outlive the store.
  FaultyStore(std::unique_ptr<StateStore> store, const StoreFaults& faults) : store_(std::move(store)), faults_(faults) {}

  Result<void> open(const StoreSite& site) override { return store_->open(site); }
  std::string describe() const override { return store_->describe(); }
  Result<std::unique_ptr<RowReader>> reader() override { return store_->reader(); }
  Result<void> begin() override { return store_->begin(); }
  Result<void> commit() override {
    const std::optional<Error> fault = faults_.on_commit();
    return fault ? Result<void>{*fault} : store_->commit();
  }
  void rollback() override { store_->rollback(); }
  Result<TableId> open_table(const TableSpec& spec) override { return store_->open_table(spec); }
  Result<void> drop_table(const std::string& name) override { return store_->drop_table(name); }
  Result<void> rename_table(const std::string& name, const std::string& new_name) override {
    return store_->rename_table(name, new_name);
  }
  Result<bool> get(TableId table, Cells key, const RowVisitor& visit) override {
    const std::optional<Error> fault = faults_.on_get();
    return fault ? Result<bool>{*fault} : store_->get(table, key, visit);
  }
  Result<void> put(TableId table, Cells row) override { return store_->put(table, row); }
  Result<void> erase(TableId table, Cells key) override { return store_->erase(table, key); }

 private:
  const std::unique_ptr<StateStore> store_;
  const StoreFaults& faults_;
};

}  // namespace lungo::test
