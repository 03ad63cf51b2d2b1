// A change of a store that is made whole or not at all.
#pragma once

#include <utility>

#include <lungo/projections/state_store.hpp>

namespace lungo {

/// Runs `change` in a transaction; commits, or rolls back and tells why.
template <class Change>
Result<void> in_transaction(StateStore& rows, Change&& change) {
  Result<void> done = rows.begin();
  if (!done) return done;
  done = std::forward<Change>(change)();
  if (done) done = rows.commit();
  if (!done) rows.rollback();
  return done;
}

}  // namespace lungo
