/* Slots for the benchmarks of their choice. */
#ifndef BENCH_SLOTS_H
#define BENCH_SLOTS_H

#include "slots/slot_table.h"

#define BENCH_NOW_MS INT64_C(1790000000000)

/* All sorts: known and unknown windows, some below a threshold, some out, loads, plans, ties. */
struct slot_table *bench_slots(size_t count, enum conf_policy policy);

#endif
