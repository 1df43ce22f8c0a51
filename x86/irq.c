/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt lines: who has one, and what happens when it comes in.
 *
 * A level-triggered pin of a domain is masked when it comes in and unmasked when the domain has handled it
 * (irqs_eoi); edges and messages are acknowledged at once, and come again when they come again. A line that
 * nobody has bound stays masked.
 *
 * Messages of one MSI capability are lines in a row, and go together when the first is unmapped.
 *
 * Vectors are the same on all CPUs. A line's fields change under its lock; the vector table is atomic, its
 * entries change only while the line is masked. What a line raises is raised after its lock was given back:
 * waking a vCPU takes locks that come before it. The reference taken on the domain keeps it from going.
 */
#include "x86/irq.h"

#include "boot/parse/acpi.h"
#include "core/domain.h"
#include "core/irqs.h"
#include "core/keys.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/port.h"
#include "core/trace.h"
#include "lib/errno.h"
#include "x86/apic.h"
#include "x86/asm.h"
#include "x86/ioapic.h"
#include "x86/msi.h"
#include "x86/tlb.h"

#include <stdatomic.h>

#define MAX_LINES  1024u
#define ISA_IRQS   16u
#define MSI_ROW    32u       /* most messages of one MSI capability */

enum line_kind { LINE_NONE, LINE_GSI, LINE_RESERVED, LINE_MSI };

struct irq_line {
    struct lock lock;        /* class IRQ: all below */
    uint8_t kind;            /* enum line_kind: GSI for ever; others come and go   */
    uint8_t vector;          /* 0: none yet                                        */
    bool level, active_low;
    bool bound;              /* the owner has a port for it                        */
    bool in_flight;          /* level: masked until the owner says that it is done */
    bool set_up;             /* trigger and polarity were told by dom0             */
    domid_t gave_up;         /* who unmapped the pin and may not have it again     */
    unsigned cpu;            /* where it goes                                      */
    struct domain *owner;    /* NULL: nobody has mapped it                         */
    void (*handler)(void *); /* the hypervisor's own; then owner may map, not bind */
    void *data;
    struct msi msi;
};

static struct irq_line lines[MAX_LINES];
static _Atomic(struct irq_line *) vectors[256];
static struct irq_line never;       /* holds the vectors that no line may have */
static unsigned gsi_of_isa[ISA_IRQS];

static unsigned number_of(const struct irq_line *l) { return (unsigned)(l - lines); }

static struct irq_line *line_get(unsigned irq)
{
    struct irq_line *l;

    if (irq >= MAX_LINES)
        return NULL;
    l = &lines[clamp_index(irq, MAX_LINES)];
    lock(&l->lock);
    return l;
}

/* As line_get(), NULL too if it is not d's. */
static struct irq_line *line_get_of(const struct domain *d, unsigned irq)
{
    struct irq_line *l = line_get(irq);

    if (l && l->owner != d) {
        unlock(&l->lock);
        return NULL;
    }
    return l;
}

/* ---- Vectors ---- */

static bool row_free(unsigned first, unsigned n)
{
    for (unsigned v = first; v < first + n; v++)
        if (vectors[v])
            return false;
    return true;
}

/* Takes n vectors in a row, aligned to n, for lines l, l + 1, ... The first, or 0. */
static uint8_t vectors_take(struct irq_line *l, unsigned n)
{
    unsigned first = ROUNDUP((unsigned)VECTOR_DEVICE_FIRST, n);

    for (; first + n - 1 <= VECTOR_DEVICE_LAST; first += n) {
        unsigned got = 0;

        if (!row_free(first, n))
            continue;
        for (struct irq_line *nobody = NULL; got < n; got++, nobody = NULL)
            if (!atomic_compare_exchange_strong(&vectors[first + got], &nobody, l + got))
                break;
        if (got == n)
            return (uint8_t)first;
        while (got--)
            vectors[first + got] = NULL;
    }
    return 0;
}

static void vector_drop(struct irq_line *l)
{
    if (l->vector)
        vectors[l->vector] = NULL;
    l->vector = 0;
}

/* ---- The hardware of one line; its lock is held ---- */

static void line_mask(struct irq_line *l, bool masked)
{
    if (l->kind == LINE_GSI)
        ioapic_mask(number_of(l), masked);
    else if (l->kind == LINE_MSI)
        msi_mask(&l->msi, masked);
}

/* Writes trigger, vector and destination; a pin is masked after it. */
static void line_program(struct irq_line *l)
{
    uint32_t target = pcpus[l->cpu]->apic_id;

    if (l->kind == LINE_MSI) {
        msi_write(&l->msi, target, l->vector);
        return;
    }
    ioapic_route(number_of(l), &(struct ioapic_route){ .vector = l->vector, .level = l->level,
                                                       .active_low = l->active_low, .masked = true,
                                                       .apic_id = target });
}

/* Keeps the owner's bit in its needs-EOI page, if it registered one, as it must be. */
static void line_show_eoi(const struct irq_line *l)
{
    mfn_t m = l->owner->pirq_eoi_mfn;
    unsigned irq = number_of(l);
    _Atomic uint8_t *byte;

    if (mfn_same(m, MFN_NONE) || irq >= PAGE_SIZE * 8)
        return;
    byte = (_Atomic uint8_t *)machine_frame(m) + irq / 8;
    if (l->level)
        atomic_fetch_or(byte, (uint8_t)(1u << irq % 8));
    else
        atomic_fetch_and(byte, (uint8_t)~(1u << irq % 8));
}

/* ---- An interrupt comes in ---- */

static void device_interrupt(unsigned vector)
{
    struct irq_line *l = vectors[vector];
    uint64_t began = machine_tsc();
    struct domain *d = NULL;
    void (*handler)(void *) = NULL;
    void *data = NULL;

    if (!l || l == &never) {
        apic_eoi();
        return; /* was on its way when its line went */
    }
    lock(&l->lock);
    if (l->handler) {
        handler = l->handler;
        data = l->data;
    } else if (l->owner && l->bound && !l->in_flight) {
        d = l->owner;
        domain_ref(d);
    }
    if (l->level && !l->handler) {
        line_mask(l, true);
        l->in_flight = true;
    }
    unlock(&l->lock);
    apic_eoi();
    if (handler)
        handler(data);
    if (d) {
        pirq_raise(d, number_of(l));
        domain_put(d);
    }
    trace(TRC_HW_IRQ_HANDLED, 3, TRACE_PAIR(number_of(l), began), (uint32_t)machine_tsc(), 0, 0);
}

static _Noreturn void stop(void)
{
    for (;;) {
        cli();
        hlt();
    }
}

void irq_dispatch(unsigned vector)
{
    trace1(TRACE_VECTOR, vector);
    switch (vector) {
    case VECTOR_TIMER:
        apic_eoi();
        perf_count(PERF_TIMER_IRQS);
        atomic_fetch_or(&this_pcpu()->work, WORK_TIMER);
        break;
    case VECTOR_KICK:
        apic_eoi();
        break;
    case VECTOR_FLUSH:
        apic_eoi();
        tlb_answer();
        break;
    case VECTOR_STOP:
        apic_eoi();
        stop();
    case VECTOR_ERROR:
        hv_log(LOG_WARN, "CPU %u: local APIC error %#x", this_pcpu()->id, apic_errors());
        apic_eoi();
        break;
    case VECTOR_SPURIOUS:
        break; /* has no end to be told */
    default:
        if (vector >= VECTOR_DEVICE_FIRST && vector <= VECTOR_DEVICE_LAST) {
            perf_count(PERF_IRQS);
            device_interrupt(vector);
        }
        break; /* below: a masked 8259's, spurious */
    }
}

/* ---- At boot ---- */

void irq_init(const struct acpi_info *acpi)
{
    /* Guests' software interrupts arrive there: a device's must not look the same. */
    static const uint8_t reserved[] = { 0x80, 0x82 };

    ioapic_init(acpi);
    for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++)
        vectors[reserved[i]] = &never;
    for (unsigned i = 0; i < MAX_LINES; i++) {
        struct irq_line *l = &lines[i];

        lock_init(&l->lock, LOCK_IRQ);
        l->kind = i >= irqs_gsi_count() ? LINE_NONE : LINE_GSI;
        l->gave_up = DOMID_INVALID;
        l->level = l->active_low = i >= ISA_IRQS && i < irqs_gsi_count();
    }
    for (unsigned i = 0; i < ISA_IRQS; i++)
        gsi_of_isa[i] = i;
    for (unsigned i = 0; i < acpi->nr_overrides; i++) {
        unsigned irq = acpi->override[i].irq, gsi = acpi->override[i].gsi;

        if (irq >= ISA_IRQS || gsi >= irqs_gsi_count())
            continue;
        gsi_of_isa[irq] = gsi;
        lines[gsi].level = acpi->override[i].level;
        lines[gsi].active_low = acpi->override[i].active_low;
    }
}

/* From now on d's; it may be so already. Lock held. */
static void line_give(struct irq_line *l, struct domain *d)
{
    if (l->owner != d)
        atomic_fetch_add(&d->irq_lines, 1);
    l->owner = d;
}

/* Gives the pin a vector and programs it, masked. Lock held. 0 or -ENOSPC. */
static int pin_start(struct irq_line *l)
{
    if (!l->vector)
        l->vector = vectors_take(l, 1);
    if (!l->vector)
        return -ENOSPC;
    line_program(l);
    return 0;
}

int irq_claim_isa(unsigned isa_irq, void (*handler)(void *), void *data)
{
    unsigned gsi = isa_irq < ISA_IRQS ? gsi_of_isa[isa_irq] : ~0u;
    struct irq_line *l;
    int err;

    if (!ioapic_has(gsi))
        return -EINVAL;
    l = line_get(gsi);
    err = l->owner || l->handler ? -EBUSY : pin_start(l);
    if (!err) {
        l->handler = handler;
        l->data = data;
        line_mask(l, false);
    }
    unlock(&l->lock);
    return err;
}

/* ---- What physdev operations ask (core/irqs.h) ---- */

unsigned irqs_count(void)
{
    return MAX_LINES;
}

unsigned irqs_gsi_count(void)
{
    return MIN(ioapic_gsi_count(), MAX_LINES / 2);
}

int irqs_setup_gsi(unsigned gsi, bool level, bool active_low)
{
    struct irq_line *l;
    int err = 0;

    if (gsi >= irqs_gsi_count() || !ioapic_has(gsi))
        return -EINVAL;
    l = line_get(gsi);
    if (l->bound || l->handler || l->set_up) {
        err = -EEXIST;
    } else {
        l->set_up = true;
        l->level = level;
        l->active_low = active_low;
        if (l->vector)
            line_program(l);
        if (l->owner)
            line_show_eoi(l);
    }
    unlock(&l->lock);
    return err;
}

int irqs_map_gsi(struct domain *d, unsigned gsi)
{
    struct irq_line *l;
    int err;

    if (gsi >= irqs_gsi_count() || !ioapic_has(gsi))
        return -EINVAL;
    l = line_get(gsi);
    if (l->owner == d)
        err = 0;
    else if (l->gave_up == d->id)
        err = -EPERM;
    else if (l->owner)
        err = -EBUSY;
    else
        err = l->handler ? 0 : pin_start(l);
    if (!err) {
        line_give(l, d);
        line_show_eoi(l);
    }
    unlock(&l->lock);
    return err ? err : (int)gsi;
}

/* A free line becomes `kind` of d. Its number or -ENOSPC. */
static int line_take(struct domain *d, enum line_kind kind)
{
    for (unsigned i = irqs_gsi_count(); i < MAX_LINES; i++) {
        struct irq_line *l = line_get(i);
        bool mine = l->kind == LINE_NONE;

        if (mine) {
            l->kind = kind;
            line_give(l, d);
        }
        unlock(&l->lock);
        if (mine)
            return (int)i;
    }
    return -ENOSPC;
}

/* Back to nobody's. Lock held. */
static void line_free(struct irq_line *l)
{
    if (l->owner)
        atomic_fetch_sub(&l->owner->irq_lines, 1);
    l->owner = NULL;
    l->bound = l->in_flight = false;
    if (l->kind == LINE_GSI && l->handler)
        return;
    if (l->vector)
        line_mask(l, true);
    vector_drop(l);
    if (l->kind != LINE_GSI)
        l->kind = LINE_NONE;
}

/* n free lines in a row become reserved for d. The first or -ENOSPC. */
static int row_take(struct domain *d, unsigned n)
{
    unsigned run = 0, i;

    for (i = irqs_gsi_count(); i < MAX_LINES && run < n; i++) {
        struct irq_line *l = line_get(i);
        bool mine = l->kind == LINE_NONE;

        if (mine) {
            l->kind = LINE_RESERVED;
            line_give(l, d);
        }
        unlock(&l->lock);
        if (mine) {
            run++;
            continue;
        }
        for (; run; run--)
            irqs_unmap(d, i - run);
    }
    if (run == n)
        return (int)(i - n);
    for (; run; run--)
        irqs_unmap(d, i - run);
    return -ENOSPC;
}

int irqs_reserve(struct domain *d)
{
    return line_take(d, LINE_RESERVED);
}

/* The reserved lines [first, first + n) of d become the messages of m, on vectors from `vector` up. */
static void row_start(unsigned first, unsigned n, struct msi *m, uint8_t vector)
{
    for (unsigned i = 0; i < n; i++) {
        struct irq_line *l = line_get(first + i);

        m->index = (uint8_t)i;
        l->msi = *m;
        l->kind = LINE_MSI;
        l->vector = (uint8_t)(vector + i);
        l->level = l->active_low = l->in_flight = false;
        line_mask(l, true);
        line_program(l);
        line_show_eoi(l);
        unlock(&l->lock);
    }
}

/* Is the reserved line d's own? */
static bool reserved_by(const struct domain *d, unsigned pirq)
{
    struct irq_line *l = line_get_of(d, pirq);
    bool yes = l && l->kind == LINE_RESERVED;

    if (l)
        unlock(&l->lock);
    return yes;
}

int irqs_map_msi(struct domain *d, int pirq, const struct irqs_msi *want)
{
    struct msi m;
    uint8_t vector;
    int first, err;

    if (!want->count || want->count > MSI_ROW)
        return -EINVAL;
    err = msi_find(want, &m);
    if (err)
        return err;
    if (pirq < 0 || want->count > 1)
        first = row_take(d, want->count);
    else
        first = reserved_by(d, (unsigned)pirq) ? pirq : -EINVAL;
    if (first < 0)
        return first;
    vector = vectors_take(&lines[first], want->count);
    if (!vector) {
        for (unsigned i = 0; i < want->count; i++)
            irqs_unmap(d, (unsigned)first + i);
        return -ENOSPC;
    }
    row_start((unsigned)first, want->count, &m, vector);
    return first;
}

/* Frees the lines of a row behind its first, bound or not. */
static void row_rest_free(struct domain *d, unsigned first, const struct msi *m)
{
    for (unsigned i = 1; i < 1u << m->log2_count; i++) {
        struct irq_line *l = line_get_of(d, first + i);

        if (!l)
            continue;
        if (l->kind == LINE_MSI && l->msi.device == m->device && l->msi.index == i)
            line_free(l);
        unlock(&l->lock);
    }
}

int irqs_unmap(struct domain *d, unsigned pirq)
{
    struct irq_line *l = line_get_of(d, pirq);
    struct msi row = { 0 };
    int err = -EINVAL;

    if (!l)
        return err;
    err = l->bound ? -EBUSY : 0;
    if (!err) {
        if (l->kind == LINE_MSI && !l->msi.index)
            row = l->msi;
        if (l->kind == LINE_GSI)
            l->gave_up = d->id;
        line_free(l);
    }
    unlock(&l->lock);
    row_rest_free(d, pirq, &row);
    return err;
}

void irqs_unmap_all(struct domain *d)
{
    /* Nobody gives a dying domain another one. */
    for (unsigned i = 0; i < MAX_LINES && atomic_load(&d->irq_lines); i++)
        irqs_unmap(d, i);
}

bool irqs_is_mapped(const struct domain *d, unsigned pirq)
{
    struct irq_line *l = line_get_of(d, pirq);

    if (l)
        unlock(&l->lock);
    return l;
}

bool irqs_needs_eoi(unsigned pirq)
{
    return pirq < MAX_LINES && READ_ONCE(lines[clamp_index(pirq, MAX_LINES)].level);
}

unsigned irqs_vector(unsigned pirq)
{
    return pirq < MAX_LINES ? READ_ONCE(lines[clamp_index(pirq, MAX_LINES)].vector) : 0;
}

int irqs_eoi(struct domain *d, unsigned pirq)
{
    struct irq_line *l = line_get_of(d, pirq);

    if (!l)
        return -EINVAL;
    if (l->in_flight) {
        l->in_flight = false;
        if (l->bound)
            line_mask(l, false);
    }
    unlock(&l->lock);
    return 0;
}

void irqs_fill_eoi_page(struct domain *d)
{
    for (unsigned i = 0; i < MAX_LINES; i++) {
        struct irq_line *l = line_get_of(d, i);

        if (!l)
            continue;
        line_show_eoi(l);
        unlock(&l->lock);
    }
}

int irqs_ioapic_read(uint64_t maddr, uint32_t reg, uint32_t *value)
{
    return ioapic_read_register(maddr, reg, value);
}

int irqs_restore_msi(uint16_t seg, uint8_t bus, uint8_t devfn)
{
    int err = -ENODEV;

    if (seg)
        return err;
    for (unsigned i = irqs_gsi_count(); i < MAX_LINES; i++) {
        struct irq_line *l = line_get(i);

        if (l->kind == LINE_MSI && l->msi.device == pci_bdf(bus, devfn)) {
            line_mask(l, true);
            line_program(l);
            line_mask(l, !l->bound);
            err = 0;
        }
        unlock(&l->lock);
    }
    return err;
}

/* ---- What ports ask (core/port.h) ---- */

int machine_pirq_bind(struct domain *d, unsigned pirq, bool share)
{
    struct irq_line *l = line_get_of(d, pirq);
    int err = 0;

    if (!l)
        return -EINVAL;
    if (l->kind != LINE_GSI && l->kind != LINE_MSI)
        err = -EINVAL;
    else if (l->bound || l->handler)
        err = -EBUSY;
    if (!err) {
        l->bound = true;
        l->in_flight = false;
        line_mask(l, false);
    }
    unlock(&l->lock);
    return err;
}

void machine_pirq_unbind(struct domain *d, unsigned pirq)
{
    struct irq_line *l = line_get_of(d, pirq);

    if (!l)
        return;
    if (l->bound)
        line_mask(l, true);
    l->bound = false;
    l->in_flight = false;
    unlock(&l->lock);
}

/* ---- Debug keys ---- */

static void show_line(struct irq_line *l)
{
    static const char *const kinds[] = { "none", "pin", "reserved", "MSI" };
    struct irq_line c;

    lock(&l->lock);
    c = *l; /* printing takes long */
    unlock(&l->lock);
    hv_log(LOG_ERR, "   IRQ:%4u %s vec:%02x CPU%u %s%s%s%s%s", number_of(l), kinds[c.kind], c.vector, c.cpu,
           c.level ? "level" : "edge", c.active_low ? " low" : "", c.bound ? " bound" : "", c.in_flight ? " in flight" : "",
           c.handler ? " ours" : "");
    if (c.kind == LINE_MSI)
        hv_log(LOG_ERR, "     device %02x:%02x.%u, %s entry %u", c.msi.device >> 8, c.msi.device >> 3 & 31, c.msi.device & 7,
               c.msi.is_x ? "MSI-X" : "MSI", c.msi.is_x ? c.msi.entry_nr : c.msi.index);
}

/* Lines that are used, a few a piece. */
static uint64_t show_lines(uint64_t at, bool only_msi)
{
    unsigned shown = 0;

    for (; at < MAX_LINES && shown < 4; at++) {
        struct irq_line *l = &lines[clamp_index(at, MAX_LINES)];

        if (only_msi ? l->kind != LINE_MSI : !l->vector)
            continue;
        show_line(l);
        shown++;
    }
    return at < MAX_LINES ? at : 0;
}

static uint64_t show_all(uint64_t at) { return show_lines(at, false); }
static uint64_t show_msi(uint64_t at) { return show_lines(at, true); }

void irq_keys_init(void)
{
    key_register('i', "dump interrupt bindings", true, show_all);
    key_register('M', "dump MSI state", true, show_msi);
    key_register('z', "dump IOAPIC info", true, ioapic_show);
}
