// The tracker's read models. Each is a fold of a few lines; its rows are a table of views.db.
//
// A Request's own clock decides its day, that of a PageViewed is UTC. No row depends on the order between partitions: all are
// sums, sets or maxima, written in an order of their own; so each has a `merge`, for rows that are kept by partition.
// Threads: pure functions.
#pragma once

#include "model/traffic.hpp"
#include "model/visitors.hpp"
#include "model/visits.hpp"
