/* SPDX-License-Identifier: BSD-2-Clause */
/* Trace buffers for `xentrace`; see core/tbuf.h. */
#include "core/tbuf.h"

#include "core/budget.h"
#include "core/cpumask.h"
#include "core/frame.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/port.h"
#include "core/trace.h"
#include "lib/errno.h"

#include <stdatomic.h>
#include <xen/xen.h>

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(uint32_t))
#define UNITS_PER_PAGE 64u    /* of the budget: clearing one */

/*
 * One CPU's. A position counts bytes modulo twice the size, so that full and empty differ. [p] only by its own CPU, with
 * interrupts off; the rest is fixed before it is used.
 */
struct tbuf {
    uint32_t **page;          /* t_buf and the records behind it     */
    uint32_t size;            /* bytes of records                    */
    uint32_t prod;            /* [p]; t_buf.prod is a copy           */
    uint32_t lost;            /* [p] records since there was no room */
    uint16_t lost_dom, lost_vcpu; /* [p] who ran at the first of them */
    uint64_t lost_tsc;        /* [p] its time                        */
};

static struct lock setup_lock = LOCK_INIT(DOMCTL);
static struct tbuf *bufs;            /* one a CPU; of setup_lock until `made` */
static uint32_t pages_each, pages_done;
static struct t_info *info;
static unsigned info_order;
static bool made;

static bool enabled;
static cpumask_t traced_cpus = ~0ull;
static uint32_t traced_events = TRC_ALL;

/* ---- Records ---- */

/* The word at byte `at` of the records. */
static uint32_t *word_at(const struct tbuf *b, uint32_t at)
{
    uint32_t i = (at + (uint32_t)sizeof(struct t_buf)) / sizeof(uint32_t);

    return &b->page[i / WORDS_PER_PAGE][i % WORDS_PER_PAGE];
}

static struct t_buf *head_of(const struct tbuf *b) { return (struct t_buf *)(void *)b->page[0]; }

static uint32_t offset(const struct tbuf *b) { return b->prod < b->size ? b->prod : b->prod - b->size; }

static void advance(struct tbuf *b, uint32_t n)
{
    b->prod = b->prod + n < 2 * b->size ? b->prod + n : b->prod + n - 2 * b->size;
}

/* Bytes not yet read. A `cons` that can't be: the reader lost its place, and what was there is lost with it. */
static uint32_t used(struct tbuf *b)
{
    uint32_t cons = READ_ONCE(head_of(b)->cons);
    uint32_t n = b->prod >= cons ? b->prod - cons : b->prod + 2 * b->size - cons;

    if (likely(cons < 2 * b->size && n <= b->size))
        return n;
    WRITE_ONCE(head_of(b)->cons, b->prod);
    return 0;
}

/* A record does not go over the end: what is left there is filled with others that mean nothing. */
static void fill_end(struct tbuf *b, uint32_t n)
{
    while (n) {
        uint32_t words = MIN(n / (uint32_t)sizeof(uint32_t), TRACE_WORDS + 1);

        *word_at(b, offset(b)) = TRC_TRACE_WRAP_BUFFER | (words - 1) << TRACE_EXTRA_SHIFT;
        advance(b, words * (uint32_t)sizeof(uint32_t));
        n -= words * (uint32_t)sizeof(uint32_t);
    }
}

/* *n is how much is used, and grows. False: there is no room. */
static bool put(struct tbuf *b, uint32_t *n, uint32_t event, uint64_t tsc, const uint32_t *words)
{
    uint32_t extra = event >> TRACE_EXTRA_SHIFT & TRACE_EXTRA_MAX, at = offset(b);
    uint32_t length = (3 + extra) * (uint32_t)sizeof(uint32_t), end = at + length > b->size ? b->size - at : 0;

    if (b->size - *n < length + end)
        return false;
    *n += length + end;
    fill_end(b, end);
    at = offset(b);
    *word_at(b, at) = event | (uint32_t)TRC_HD_CYCLE_FLAG;
    *word_at(b, at + 4) = (uint32_t)tsc;
    *word_at(b, at + 8) = (uint32_t)(tsc >> 32);
    for (uint32_t i = 0; i < extra; i++)
        *word_at(b, at + 12 + 4 * i) = words[i];
    advance(b, length);
    __atomic_store_n(&head_of(b)->prod, b->prod, __ATOMIC_RELEASE);
    return true;
}

/* How many were lost, since when, and who ran then, if there is room again. */
static bool put_lost(struct tbuf *b, uint32_t *n, uint64_t tsc)
{
    uint32_t w[] = { b->lost, b->lost_dom | (uint32_t)b->lost_vcpu << 16, (uint32_t)b->lost_tsc,
                     (uint32_t)(b->lost_tsc >> 32) };

    if (!put(b, n, TRC_LOST_RECORDS | 4u << TRACE_EXTRA_SHIFT, tsc, w))
        return false;
    b->lost = 0;
    return true;
}

static void export(struct trace_cpu *t, const struct trace_record *r)
{
    struct tbuf *b = t->tbuf;
    uint32_t before = used(b), n = before, half = b->size / 2;

    if ((b->lost && !put_lost(b, &n, r->tsc)) || !put(b, &n, r->event, r->tsc, r->word)) {
        if (!b->lost++) {
            b->lost_dom = (uint16_t)r->who;
            b->lost_vcpu = (uint16_t)(r->who >> 16);
            b->lost_tsc = r->tsc;
        }
        return;
    }
    /* Telling wakes somebody, which takes locks that we may be under: later. */
    if (before < half && n >= half)
        pcpu_raise(this_pcpu()->id, WORK_TBUF);
}

void tbuf_tell(void)
{
    virq_raise_global(VIRQ_TBUF);
}

/* ---- Making them ---- */

/* Words of struct t_info before the lists of page numbers. */
static uint32_t info_head(void)
{
    return DIV_ROUNDUP((uint32_t)(sizeof(struct t_info) + pcpu_count * sizeof(uint16_t)), (uint32_t)sizeof(uint32_t));
}

static uint32_t list_of(unsigned cpu)
{
    return info_head() + cpu * pages_each;
}

static int begin(uint32_t pages)
{
    uint64_t words = info_head() + (uint64_t)pages * pcpu_count;

    if (!pages || words > UINT16_MAX)
        return -EINVAL;
    for (info_order = 0; words * sizeof(uint32_t) > PAGE_SIZE << info_order; info_order++)
        continue;
    info = hv_pages(info_order);
    bufs = hv_alloc(pcpu_count * sizeof(*bufs));
    if (!info || !bufs) {
        hv_pages_free(info, info_order);
        hv_free(bufs, pcpu_count * sizeof(*bufs));
        bufs = NULL;
        return -ENOMEM;
    }
    pages_each = pages;
    return 0;
}

/* Gives up: nobody has seen any of it. */
static void undo(void)
{
    for (unsigned cpu = 0; cpu < pcpu_count; cpu++) {
        struct tbuf *b = &bufs[cpu];

        for (uint32_t i = 0; b->page && i < pages_each; i++)
            hv_pages_free(b->page[i], 0);
        hv_free(b->page, pages_each * sizeof(*b->page));
    }
    hv_free(bufs, pcpu_count * sizeof(*bufs));
    hv_pages_free(info, info_order);
    bufs = NULL;
    pages_each = pages_done = 0;
}

static int add_page(void)
{
    struct tbuf *b = &bufs[pages_done / pages_each];

    if (!b->page)
        b->page = hv_alloc(pages_each * sizeof(*b->page));
    if (!b->page)
        return -ENOMEM;
    b->page[pages_done % pages_each] = hv_pages(0);
    if (!b->page[pages_done % pages_each])
        return -ENOMEM;
    pages_done++;
    return 0;
}

static void show_pages(void *at, unsigned order)
{
    for (unsigned i = 0; i < 1u << order; i++)
        frame_show_writable(mfn_plus(machine_frame_mfn(at), i));
}

/* All pages are there: from now on they stay, and may be seen. */
static void finish(void)
{
    info->tbuf_size = (uint16_t)pages_each;
    for (unsigned cpu = 0; cpu < pcpu_count; cpu++) {
        struct tbuf *b = &bufs[cpu];

        info->mfn_offset[cpu] = (uint16_t)list_of(cpu);
        for (uint32_t i = 0; i < pages_each; i++) {
            ((uint32_t *)(void *)info)[list_of(cpu) + i] = (uint32_t)machine_frame_mfn(b->page[i]).n;
            show_pages(b->page[i], 0);
        }
        b->size = pages_each * (uint32_t)PAGE_SIZE - (uint32_t)sizeof(struct t_buf);
        pcpus[cpu]->trace->tbuf = b;
        pcpus[cpu]->trace->export = export;
    }
    show_pages(info, info_order);
    __atomic_store_n(&made, true, __ATOMIC_RELEASE);
}

static int set_size(uint32_t pages)
{
    int err = 0;

    if (made || (pages_each && pages != pages_each))
        return -EINVAL;
    if (!pages_each)
        err = begin(pages);
    while (!err && pages_done < pages_each * pcpu_count) {
        err = add_page();
        if (err)
            undo();
        else if (!budget_take(UNITS_PER_PAGE))
            err = -ERESTART;
    }
    if (!err)
        finish();
    return err;
}

int tbuf_set_size(uint32_t pages)
{
    int err;

    lock(&setup_lock);
    err = set_size(pages);
    unlock(&setup_lock);
    return err;
}

/* ---- What is traced ---- */

mfn_t tbuf_info(uint32_t *bytes)
{
    if (!__atomic_load_n(&made, __ATOMIC_ACQUIRE)) {
        *bytes = 0;
        return mfn(0);
    }
    *bytes = (uint32_t)(PAGE_SIZE << info_order);
    return machine_frame_mfn(info);
}

/* setup_lock held. */
static void apply(void)
{
    for (unsigned cpu = 0; cpu < pcpu_count; cpu++) {
        struct trace_cpu *t = pcpus[cpu]->trace;
        uint32_t events = enabled && cpumask_has(traced_cpus, cpu) ? traced_events : 0;

        if (!t)
            continue;
        __atomic_store_n(&t->wanted, events, __ATOMIC_RELEASE);
        atomic_store(&pcpus[cpu]->listened, events != 0);
    }
}

int tbuf_enable(bool on)
{
    int err = 0;

    lock(&setup_lock);
    if (on && !made)
        err = -EINVAL;
    else
        enabled = on;
    apply();
    unlock(&setup_lock);
    return err;
}

void tbuf_set_cpus(cpumask_t cpus)
{
    lock(&setup_lock);
    traced_cpus = cpus;
    apply();
    unlock(&setup_lock);
}

void tbuf_set_events(uint32_t mask)
{
    lock(&setup_lock);
    traced_events = mask;
    apply();
    unlock(&setup_lock);
}

uint32_t tbuf_events(void)
{
    return traced_events;
}

void tbuf_each_frame(void (*each)(void *data, mfn_t m, bool writable), void *data)
{
    if (!made)
        return;
    for (unsigned i = 0; i < 1u << info_order; i++)
        each(data, mfn_plus(machine_frame_mfn(info), i), true);
    for (unsigned cpu = 0; cpu < pcpu_count; cpu++)
        for (uint32_t i = 0; i < pages_each; i++)
            each(data, machine_frame_mfn(bufs[cpu].page[i]), true);
}
