#include <lungo/projections/spread_engine.hpp>

#include "spread_core.hpp"

namespace lungo {

SpreadStores sqlite_by_partition(std::string path, SqliteOptions options) {
  return [path = std::move(path), options = std::move(options)](const TopicPartition& partition) {
    const std::size_t name = path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1;
    std::size_t dot = path.rfind('.');
    if (dot == std::string::npos || dot <= name) dot = path.size();
    return sqlite(path.substr(0, dot) + '.' + to_string(partition) + path.substr(dot), options);
  };
}

SpreadStores memory_by_partition() {
  return [](const TopicPartition&) { return memory(); };
}

// ---- reads ----

Error SpreadProjectionBase::in_no_engine() const { return {Errc::closed, "projection " + name_ + " was added to no engine"}; }

Result<void> SpreadProjectionBase::visit_row(Cells key, const std::optional<StreamId>& stream, const SpreadRead& how,
                                             const RowVisitor& visit) {
  SpreadQuery query;
  query.is_one = true;
  query.from = bytes_of_cells(key);
  if (core_ == nullptr) return in_no_engine();
  return core_->visit(*this, stream, std::move(query), how, visit);
}

Result<void> SpreadProjectionBase::visit_rows(const KeyRange& range, const SpreadRead& how, const RowVisitor& visit) {
  SpreadQuery query;
  query.descending = range.descending;
  query.limit = range.limit;
  if (!range.from.empty()) query.from = bytes_of_cells(range.from);
  if (!range.to.empty()) query.to = bytes_of_cells(range.to);
  if (core_ == nullptr) return in_no_engine();
  return core_->visit(*this, {}, std::move(query), how, visit);
}

// ---- the engine ----

SpreadEngine::SpreadEngine(EventStore& store, SpreadStores stores, SpreadOptions options)
    : core_(std::make_unique<SpreadCore>(store, std::move(stores), std::move(options))) {}

SpreadEngine::~SpreadEngine() = default;

void SpreadEngine::add_projection(std::unique_ptr<SpreadProjectionBase> projection) { core_->add(std::move(projection)); }

void SpreadEngine::answer_in(ForwardServer& server) {
  server.answer_queries(core_->name_of_queries(), [core = core_.get()](BytesView query) { return core->answer(query); });
}

Result<void> SpreadEngine::start() { return core_->start(); }
Result<void> SpreadEngine::stop() { return core_->stop(); }
Result<void> SpreadEngine::catch_up(Duration timeout) { return core_->catch_up(timeout); }
std::vector<SpreadStatus> SpreadEngine::status() const { return core_->status(); }

}  // namespace lungo
