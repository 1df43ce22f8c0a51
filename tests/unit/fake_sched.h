/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine for tests of timers, time and scheduling: CPUs with a clock that the test moves, or that runs; no
 * memory but an arena of pages; ports and page tables that do nothing. Included once by a test, after
 * cmocka.h.
 */
#ifndef TESTS_UNIT_FAKE_SCHED_H
#define TESTS_UNIT_FAKE_SCHED_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bounce.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/guest.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/port.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "core/vcpu_area.h"

#include "core/lock.c"
#include "core/pcpu.c"
#include "core/time.c"
#include "core/timer.c"
#include "core/vcpu_area.c"

#define FAKE_HZ    2000000000ull /* two ticks a nanosecond */
#define FAKE_CPUS  8
#define FAKE_PAGES 64u

struct domain *dom0;

static _Thread_local unsigned fake_cpu;
static struct pcpu fake_pcpu[FAKE_CPUS];
static _Atomic uint64_t fake_tsc;
static _Atomic uint64_t fake_deadline[FAKE_CPUS]; /* ~0: none */
static _Atomic bool fake_kicked[FAKE_CPUS];
static _Atomic unsigned fake_kicks;
static _Alignas(PAGE_SIZE) uint8_t fake_page[FAKE_PAGES][PAGE_SIZE];
static int fake_refs[FAKE_PAGES];   /* references with a WRITABLE use */
static unsigned fake_fail_alloc;    /* n: the n-th allocation from now fails */
static unsigned fake_virqs;
static struct domain *fake_domains[64]; /* what domain_get_next() finds: by ascending id, then NULL */

struct pcpu *machine_pcpu(void) { return &fake_pcpu[fake_cpu]; }
uint64_t machine_tsc(void) { return fake_tsc; }
void machine_timer(uint64_t tsc) { fake_deadline[fake_cpu] = tsc; }
void *machine_frame(mfn_t m) { return m.n < FAKE_PAGES ? fake_page[m.n] : NULL; }
static struct frame fake_frames[FAKE_PAGES];
struct frame *frame_table = fake_frames;
uint64_t frame_count = FAKE_PAGES;
void machine_flush(cpumask_t cpus, enum flush what, uint64_t va) { }

void machine_kick(unsigned cpu)
{
    fake_kicks++;
    fake_kicked[cpu] = true;
}

void *hv_alloc(size_t size)
{
    if (fake_fail_alloc && !--fake_fail_alloc)
        return NULL;
    return calloc(1, size);
}

void hv_free(void *p, size_t size)
{
    memset(p, 0xc5, size);
    free(p);
}

void guest_log(struct domain *d, enum loglevel level, const char *fmt, ...) { }

_Noreturn void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    abort();
}

/* A guest address is a page number and an offset here; page 0 is not mapped, odd pages are not writable. */
int guest_frame_get(guest_ptr_t p, bool writable, mfn_t *out)
{
    uint64_t n = p.va >> PAGE_SHIFT;

    if (!n || n >= FAKE_PAGES)
        return -EFAULT;
    if (writable && n % 2 && n > 40)
        return -EINVAL;
    fake_refs[n]++;
    *out = mfn(n);
    return 0;
}

int frame_get_type(struct domain *d, mfn_t m, enum frame_type type)
{
    if (m.n >= FAKE_PAGES || (m.n % 2 && m.n > 40))
        return -EINVAL;
    fake_refs[m.n]++;
    return 0;
}

void frame_put_type(mfn_t m)
{
    assert_true(fake_refs[m.n] > 0);
    fake_refs[m.n]--;
}

void domain_put(struct domain *d) { }

struct domain *domain_get_next(domid_t from)
{
    for (unsigned i = 0; i < ARRAY_SIZE(fake_domains) && fake_domains[i]; i++)
        if (fake_domains[i]->id >= from)
            return fake_domains[i];
    return NULL;
}
/* n CPUs, at system time 0. Whoever includes core/sched.c calls sched_init_cpu() itself. */
static inline void fake_machine(unsigned n, bool stable)
{
    fake_tsc = 1000;
    pcpu_count = n;
    pcpu_online = (1ull << n) - 1;
    fake_cpu = 0;
    fake_virqs = 0;
    for (unsigned i = 0; i < n; i++) {
        fake_pcpu[i] = (struct pcpu){ .id = i, .online = true };
        pcpus[i] = &fake_pcpu[i];
        fake_deadline[i] = ~0ull;
        fake_kicked[i] = false;
    }
    time_init(FAKE_HZ, stable, 1700000000);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(timers_init_cpu(i), 0);
}

static inline void fake_machine_end(void)
{
    for (unsigned i = 0; i < pcpu_count; i++) {
        struct timer_queue *q = fake_pcpu[i].timers;

        free(q->heap.slot);
        free(q);
    }
}

/* Moves the clock to system time `ns`. */
static inline void fake_now(uint64_t ns)
{
    fake_tsc = ns_to_tsc(ns);
}

#endif
