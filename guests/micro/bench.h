/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of the benchmark: what one operation costs, from the guest's own instruction before it to the one behind it.
 *
 * Under an emulator that counts instructions (QEMU's -icount) the TSC is that count, and a row is the same in each
 * run; the smallest of many samples leaves out those that a timer fell into. A bench runs only when the command line
 * says bench=FAMILY (several joined by +).
 *
 *   BENCH(name) { ... }                   a piece of set-up and the rows that need it
 *   MEASURE("row", per, statements)       prints `bench FAMILY.row COST`: the least cost of the statements, by `per`
 *   MEASURE_AFTER("row", per, first, statements)     `first` is done before each sample and does not count
 */
#ifndef MICRO_BENCH_H
#define MICRO_BENCH_H

#include "../bench_mark.h"
#include "event.h"
#include "micro.h"

struct bench {
    const char *family;
    void (*run)(void);
};

#define BENCH(fn)                                                                            \
    static void bench_##fn(void);                                                            \
    static const struct bench bench_of_##fn __attribute__((used, aligned(8), section(".benches"))) \
        = { FAMILY, bench_##fn };                                                            \
    static void bench_##fn(void)

/* How many samples of the row: 24; with row=FAMILY.ROW samples=N on the command line N of that, and one of each other. */
unsigned int bench_samples(const char *family, const char *row);

#define MEASURE_AFTER(row, per, first, ...)                          \
    do {                                                             \
        uint64_t least_ = ~0UL;                                      \
        for (unsigned int i_ = bench_samples(FAMILY, row); i_; i_--) { \
            uint64_t began_, took_;                                  \
            first;                                                   \
            BENCH_SAY(BENCH_SAMPLE_BEGINS);                          \
            began_ = rdtsc();                                        \
            __VA_ARGS__;                                             \
            took_ = rdtsc() - began_;                                \
            BENCH_SAY(BENCH_SAMPLE_ENDS);                            \
            if (took_ < least_)                                      \
                least_ = took_;                                      \
        }                                                            \
        bench_row(FAMILY, row, least_, per);                         \
    } while (0)
#define MEASURE(row, per, ...) MEASURE_AFTER(row, per, , __VA_ARGS__)

/* Prints one row; the cost of an empty measurement is taken off first. */
void bench_row(const char *family, const char *row, uint64_t cost, uint64_t per);
/* The same without taking anything off. */
void bench_print(const char *family, const char *row, uint64_t cost, uint64_t per);
/* Runs the benches of the families in `list`. */
void bench_run(const char *list);
/* Reports a step of the set-up that failed: the rows after it mean nothing. */
void bench_need(const char *what, long rc);

/* Lean ways back from traps (bench_entry.S), without what trap.c does for tests. */
extern char bench_ud_iretq[], bench_ud_iret[], bench_pf_iretq[], bench_pf_iret[], bench_user_pf[], bench_syscall[];
extern char bench_upcall[];
/* The port that bench_upcall takes from the bitmaps, and the vCPU's info page. */
extern uint64_t bench_port;
extern struct vcpu_info *bench_info;
extern unsigned long *bench_pending;

#endif
