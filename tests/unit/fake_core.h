/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The least of a machine for tests of one core part: an arena of frames, CPUs that are threads, TLBs that
 * only count. Included once by a test, after cmocka.h. A panic ends the test.
 */
#ifndef TESTS_UNIT_FAKE_CORE_H
#define TESTS_UNIT_FAKE_CORE_H

#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/frame.h"
#include "core/log.h"
#include "core/pcpu.h"

enum { FAKE_FRAMES = 8192, FAKE_CPUS = 8 };

struct frame *frame_table;
uint64_t frame_count;
cpumask_t pcpu_online = 1;
struct pcpu *pcpus[MAX_CPUS];
unsigned pcpu_count = 1;

static uint8_t *fake_ram;
static struct pcpu fake_pcpu[FAKE_CPUS];
static _Thread_local unsigned fake_cpu;
static _Atomic uint32_t fake_clock = 1, fake_flushed[FAKE_CPUS];
static _Atomic unsigned fake_flushes;

/* Frames [1, n) are RAM; none is in the allocator. */
static inline void fake_machine(uint64_t n)
{
    free(fake_ram);
    free(frame_table);
    fake_ram = aligned_alloc(PAGE_SIZE, FAKE_FRAMES * PAGE_SIZE);
    frame_table = calloc(FAKE_FRAMES, sizeof(*frame_table));
    frame_count = n;
    for (unsigned i = 0; i < FAKE_CPUS; i++) {
        fake_pcpu[i] = (struct pcpu){ .id = i, .budget = ~0u };
        pcpus[i] = &fake_pcpu[i];
    }
}

struct pcpu *machine_pcpu(void) { return &fake_pcpu[fake_cpu]; }
void machine_relax(void) { sched_yield(); }
uint64_t machine_tsc(void) { return 0; }
void *machine_frame(mfn_t m) { return m.n < frame_count ? fake_ram + m.n * PAGE_SIZE : NULL; }
mfn_t machine_frame_mfn(const void *p) { return mfn((uint64_t)((const uint8_t *)p - fake_ram) / PAGE_SIZE); }
uint32_t machine_flush_stamp(void) { return fake_clock; }

cpumask_t machine_stale(cpumask_t cpus, uint32_t stamp)
{
    cpumask_t stale = 0;

    for (unsigned i = 0; i < FAKE_CPUS; i++)
        if (cpus >> i & 1 && fake_flushed[i] <= stamp)
            stale |= 1ull << i;
    return stale;
}

void machine_flush(cpumask_t cpus, enum flush what, uint64_t va)
{
    uint32_t t = ++fake_clock;

    (void)what;
    (void)va;
    fake_flushes++;
    for (unsigned i = 0; i < FAKE_CPUS; i++)
        if (cpus >> i & 1)
            fake_flushed[i] = t;
}

void hv_log(enum loglevel level, const char *fmt, ...)
{
    va_list ap;

    (void)level;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

_Noreturn void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    abort();
}

#endif
