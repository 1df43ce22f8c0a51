/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Idle states: which one a CPU enters when it has nothing to do, and how often and how long it was in each.
 *
 * A CPU's state 0 is C0: it runs. State 1 halts, as long as nobody says more: what the firmware offers is in tables that only
 * dom0's kernel can read, and it tells us (XENPF_set_processor_pminfo).
 */
#ifndef CORE_IDLE_H
#define CORE_IDLE_H

#include "lib/types.h"

#define IDLE_STATES 10u /* of one CPU, with C0 and C1 */
#define IDLE_TYPES  3u  /* C1 to C3 of ACPI: the deeper, the more stops */

enum idle_way {
    IDLE_RUN,   /* goes on running */
    IDLE_HALT,
    IDLE_MWAIT, /* `at`: the hint. Its low four bits are the sub-state, the next four the C-state less one */
    IDLE_PORT,  /* `at`: reading one byte of this I/O port */
};

struct idle_state {
    uint8_t way;         /* enum idle_way */
    uint8_t type;        /* 0 to IDLE_TYPES */
    uint32_t latency_us; /* until it has left the state, at worst */
    uint32_t at;
};

/* What the CPUs can do; all alike. */
struct idle_means {
    bool mwait;          /* MWAIT has hints, and ends when an interrupt comes in, masked or not */
    uint32_t substates;  /* of each of its C-states, C0 first: how many, four bits each */
    bool timer;          /* the timer that wakes a CPU goes on in every state */
    bool clock;          /* so does the TSC */
};

/* NULL: a CPU can enter s, and is woken. Else why not. */
const char *idle_cannot(const struct idle_means *m, const struct idle_state *s);

/* At boot. used: dom0's states are taken. */
void idle_init(bool used, uint32_t max_type, uint32_t max_substate);
bool idle_is_used(void);

/*
 * From now on these are the CPU's, beside C0 and a C1 if there is none among them; n < IDLE_STATES - 1, no latency is less than
 * the one before it. Counters begin anew.
 */
void idle_set(unsigned cpu, const struct idle_state *states, unsigned n);

/* No deeper than C-state `type`, and in that no deeper than `substate`; all CPUs look at it again. UINT32_MAX: no limit. */
void idle_limit(uint32_t type, uint32_t substate);
void idle_get_limit(uint32_t *type, uint32_t *substate);

/* Of this CPU: the state to enter now, and how long it was in it. Interrupts off from the one to the other, but in the state. */
struct idle_state idle_choose(uint64_t now);
void idle_left(uint64_t ns);

struct idle_report {
    unsigned count, last; /* last: the state that it was in last */
    uint64_t entered[IDLE_STATES], ns[IDLE_STATES];
};
void idle_report(unsigned cpu, struct idle_report *r);
void idle_forget(unsigned cpu); /* counters begin anew */

#endif
