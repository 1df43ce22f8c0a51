/* SPDX-License-Identifier: BSD-2-Clause */
/* System time (ns since boot), the wall clock, and what guests see of both. */
#ifndef CORE_TIME_H
#define CORE_TIME_H

#include "lib/types.h"

struct vcpu;
struct domain;

#define US(n)  ((uint64_t)(n) * 1000u)
#define MS(n)  ((uint64_t)(n) * 1000000u)
#define SEC(n) ((uint64_t)(n) * 1000000000u)

/*
 * At boot: TSC frequency and, if all CPUs' TSCs are known to agree for ever, stable. Epoch: seconds UTC at
 * system time 0.
 */
void time_init(uint64_t tsc_hz, bool stable, uint64_t epoch_s);
/* At boot, before any guest: two CPUs' TSCs turned out to differ. */
void time_make_unstable(void);
uint64_t time_tsc_khz(void);
bool time_stable(void);

uint64_t now_ns(void);                  /* monotonic on each CPU, and between CPUs as far as their TSCs are */
uint64_t ticks_to_ns(uint64_t ticks);   /* a span of TSC ticks */
uint64_t tsc_to_ns(uint64_t tsc);       /* system time at a TSC */
uint64_t ns_to_tsc(uint64_t ns);        /* rounds up */

/*
 * Writes v's vcpu_time_info (its registered copy and the secondary area). Called when v gets a CPU and when
 * v->info moves.
 */
void time_update_vcpu(struct vcpu *v);
/* Writes wc_* of d's shared info. */
void time_update_wallclock(struct domain *d);
/* XENPF_settime: wall clock at system time `at_ns`; all domains see it. */
void time_set_wallclock(uint64_t sec, uint32_t nsec, uint64_t at_ns);
uint64_t time_wallclock_s(void);

#endif
