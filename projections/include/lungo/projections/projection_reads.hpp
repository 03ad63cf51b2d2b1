// The reading and watching members of Projection<P>. Included by projection.hpp; not to be included by itself.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include <lungo/projections/projection.hpp>

namespace lungo {

template <class P>
Projection<P>::Range::Range(const Key& from, const Key& to) {
  detail::append_key_cells(from, from_);
  detail::append_key_cells(to, to_);
}

template <class P>
KeyRange Projection<P>::Range::key_range(ScanOptions options) const {
  return {from_.cells(), to_.cells(), options.descending, options.limit};
}

template <class P>
Result<std::optional<typename P::State>> Projection<P>::get(const Key& key) {
  detail::RowScratch scratch;
  detail::append_key_cells(key, scratch);
  std::optional<State> state;
  bool fits = true;
  Result<bool> found = read_row(scratch.cells(), [&](Cells row) {
    fits = detail::read_state<Key>(row, state.emplace());
    return true;
  });
  if (!found) return found.error();
  if (!fits) return misfit();
  return state;
}

template <class P>
Result<std::optional<typename P::State>> Projection<P>::get(const Key& key, const AtLeast& wanted) {
  Result<void> there = wait_for(wanted);
  if (!there) return there.error();
  return get(key);
}

template <class P>
template <class Visit>
Result<void> Projection<P>::visit_rows(const KeyRange& range, Visit&& visit) {
  bool fits = true;
  Result<void> scanned = scan_rows(range, [&](Cells cells) {
    Row row;
    fits = detail::read_key(cells, row.key) && detail::read_state<Key>(cells, row.state);
    if (fits) visit(std::move(row));
    return fits;
  });
  if (!scanned) return scanned;
  if (!fits) return misfit();
  return {};
}

template <class P>
Result<std::vector<typename Projection<P>::Row>> Projection<P>::scan(const Key& from, const Key& to, ScanOptions options) {
  const Range range{from, to};
  std::vector<Row> rows;
  Result<void> read = visit_rows(range.key_range(options), [&rows](Row&& row) { rows.push_back(std::move(row)); });
  if (!read) return read.error();
  return rows;
}

template <class P>
Result<std::vector<typename Projection<P>::Row>> Projection<P>::scan(ScanOptions options) {
  std::vector<Row> rows;
  Result<void> read =
      visit_rows({{}, {}, options.descending, options.limit}, [&rows](Row&& row) { rows.push_back(std::move(row)); });
  if (!read) return read.error();
  return rows;
}

template <class P>
template <class Visit>
Result<void> Projection<P>::for_each(Visit&& visit) {
  return visit_rows({}, [&visit](Row&& row) { visit(std::as_const(row.key), std::as_const(row.state)); });
}

template <class P>
template <class Visit>
Result<void> Projection<P>::for_each(const Key& from, const Key& to, Visit&& visit) {
  const Range range{from, to};
  return visit_rows(range.key_range(), [&visit](Row&& row) { visit(std::as_const(row.key), std::as_const(row.state)); });
}

template <class P>
template <class Field>
Result<std::vector<typename Projection<P>::Row>> Projection<P>::top(std::size_t n, Field State::*field) {
  return top_of(n, field, {});
}

template <class P>
template <class Field>
Result<std::vector<typename Projection<P>::Row>> Projection<P>::top(std::size_t n, Field State::*field, const Key& from,
                                                                    const Key& to) {
  const Range range{from, to};
  return top_of(n, field, range.key_range());
}

template <class P>
template <class Field>
Result<std::vector<typename Projection<P>::Row>> Projection<P>::top_of(std::size_t n, Field State::*field,
                                                                       const KeyRange& range) {
  // A heap of the best n with the worst on top. Rows come in key order, so an equal one that comes later is worse; `seen` says
  // which came later.
  struct Best {
    Row row;
    std::uint64_t seen;
  };
  const auto better = [field](const Best& a, const Best& b) {
    const Field& left = a.row.state.*field;
    const Field& right = b.row.state.*field;
    return right < left || (!(left < right) && a.seen < b.seen);
  };
  std::vector<Best> best;
  std::uint64_t seen = 0;
  if (n == 0) return std::vector<Row>{};
  Result<void> read = visit_rows(range, [&](Row&& row) {
    ++seen;
    if (best.size() == n) {
      if (!(best.front().row.state.*field < row.state.*field)) return;
      std::pop_heap(best.begin(), best.end(), better);
      best.pop_back();
    }
    best.push_back({std::move(row), seen});
    std::push_heap(best.begin(), best.end(), better);
  });
  if (!read) return read.error();
  std::sort_heap(best.begin(), best.end(), better);
  std::vector<Row> rows;
  rows.reserve(best.size());
  for (Best& entry : best) rows.push_back(std::move(entry.row));
  return rows;
}

template <class P>
Result<typename P::State> Projection<P>::merged(const Key& from, const Key& to)
  requires MergesStates<P>
{
  const Range range{from, to};
  State all{};
  Result<void> read = visit_rows(range.key_range(), [&all](Row&& row) { all = P::merge(std::move(all), row.state); });
  if (!read) return read.error();
  return all;
}

template <class P>
WatchToken Projection<P>::watch(std::function<void(const Changes&)> on_change) {
  return add_watcher([on_change = std::move(on_change)](std::uint64_t sequence, const void* rows) {
    const auto* changed = static_cast<const std::vector<Row>*>(rows);
    on_change({sequence, changed != nullptr ? std::span<const Row>{*changed} : std::span<const Row>{}, changed == nullptr});
  });
}

}  // namespace lungo
