/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spin locks, and the one order in which a CPU may take them.
 *
 * The hypervisor runs with interrupts off from entry to exit, so no lock needs an interrupt-safe form: what an
 * interrupt wants done is done at the next exit. A CPU that waits for a lock keeps answering the requests of others
 * (machine_relax), so that the holder can wait for this CPU's TLB flush without a deadlock.
 *
 * Debug builds check the order at every acquire, on silicon and in the hosted build.
 */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

#include "lib/types.h"

/* Outermost first; a CPU only moves down this list. Two locks of one class: see lock_second(). */
#define LOCK_ORDER(X)                                   \
    X(DOMCTL,  "one control operation at a time")       \
    X(DOMLIST, "which domains exist")                   \
    X(DOMAIN,  "one domain's memory and life")          \
    X(PT,      "one page-table frame")                  \
    X(GRANT,   "one domain's grant table")              \
    X(PORT,    "one domain's ports")                    \
    X(AREA,    "the areas a vCPU reads")                \
    X(PAUSE,   "how often one domain is paused")        \
    X(RUNQ,    "one CPU's run queue")                   \
    X(TIMER,   "one CPU's timers")                      \
    X(IDLE,    "one CPU's idle states")                 \
    X(IRQ,     "one interrupt line")                    \
    X(DEVICE,  "a device's index and data registers")   \
    X(DIRTY,   "what a domain wrote, and its shadow tables") \
    X(FRAMES,  "the frame allocator")                   \
    X(CONSOLE, "the log; last, so anyone may print")

/* Is it noted what a CPU holds, and the order checked? */
#ifdef NDEBUG
#define LOCK_CHECKS false
#else
#define LOCK_CHECKS true
#endif

enum lock_class {
#define X(name, what) LOCK_##name,
    LOCK_ORDER(X)
#undef X
    LOCK_CLASSES
};

struct lock {
    union {
        _Atomic uint32_t ticket; /* low half: being served; high half: next to be handed out */
        _Atomic uint16_t served; /* the low half, which only the holder changes              */
    };
    uint8_t class;               /* enum lock_class */
};

/*
 * What one CPU did with the locks of a class; times in ticks of the TSC. Waiting is measured each time, since it is slow
 * anyway; holding once in LOCK_SAMPLE times, and counted for all of them.
 */
#define LOCK_SAMPLE 16u
struct lock_use {
    uint64_t taken, waited;         /* how often; how often not at once */
    uint64_t held_time, waited_time;
    uint64_t since;                 /* taken at this TSC, and to be measured; 0: no */
};

#define LOCK_INIT(cls) { .class = LOCK_##cls }

void lock_init(struct lock *l, enum lock_class class);
void lock(struct lock *l);
bool trylock(struct lock *l);
void unlock(struct lock *l);

/* Takes a second lock of the class held; the caller orders them (lower domain id first, or by address). */
void lock_second(struct lock *l);

/* True if some CPU holds l; for assertions only. */
bool lock_held(const struct lock *l);

/* ---- For `xenlockprof` and the debug keys 'l' and 'L' (core/lock_use.c) ---- */

/* All CPUs' use of a class since the last reset; times in ns here. */
void lock_use_get(enum lock_class class, struct lock_use *u);
const char *lock_class_name(enum lock_class class);
/* ns since the last reset. */
uint64_t lock_use_time(void);
void lock_use_reset(void);

#endif
