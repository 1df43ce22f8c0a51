/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The self-audit (core/audit.h). It knows each kind of holder, but nothing of how the counters came to be what they are:
 * what is written here is what core/frame.h and core/pt.h promise about a machine at rest.
 *
 *   holder                                            general   type
 *   its owner's page list (REFS_OWNED)                      1
 *   the hypervisor, of what it shows (REFS_HV)              1   1 WRITABLE
 *   a table that is VALID or partial, itself                1
 *   a drain list (TYPE_QUEUED)                              1
 *   a pin                                                   1   1
 *   an entry of a VALID table, or below the cursor          1   1 if a table, or writable
 *   a vCPU's roots, descriptor pages and areas              1   1
 *   a grant mapping                                         1   1 if writable
 *   event pages of the ports, the needs-EOI page            1   1 WRITABLE
 */
#include "core/audit.h"

#include "core/domain.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/port.h"
#include "core/shadow.h"
#include "core/tbuf.h"
#include "core/vcpu.h"
#include "lib/errno.h"
#include "x86/model/pte.h"

#define LINES_MAX 16u

struct holders {
    uint32_t refs, types;
    uint8_t kind;  /* enum frame_type of `types` */
    bool mixed;    /* they do not agree on it */
};

struct audit {
    struct holders *of; /* frame_count of them */
    long faults;
};

static void fault(struct audit *a, mfn_t m, const char *what, uint64_t is, uint64_t expected)
{
    const struct frame *f = frame_of(m);

    if (a->faults++ < LINES_MAX)
        hv_log(LOG_ERR, "audit: frame %#lx of d%u, refs %#lx type %#lx cursor %u: %s is %lu, not %lu", m.n, f->owner, f->refs,
               f->type, f->cursor, what, is, expected);
}

/* ---- Counting ---- */

static void hold(struct audit *a, mfn_t m)
{
    if (!mfn_is_ram(m))
        hv_log(LOG_ERR, "audit: something holds frame %#lx, which is no RAM", m.n), a->faults++;
    else
        a->of[m.n].refs++;
}

static void hold_type(struct audit *a, mfn_t m, enum frame_type type)
{
    struct holders *h;

    hold(a, m);
    if (!mfn_is_ram(m))
        return;
    h = &a->of[m.n];
    if (h->types++ && h->kind != type)
        h->mixed = true;
    h->kind = (uint8_t)type;
}

static void hold_frame(void *data, mfn_t m, bool writable)
{
    if (writable)
        hold_type(data, m, TYPE_WRITABLE);
    else
        hold(data, m);
}

static void hold_if(struct audit *a, mfn_t m, enum frame_type type)
{
    if (m.n && !mfn_same(m, MFN_NONE))
        hold_type(a, m, type);
}

static void count_entry(struct audit *a, uint64_t e, unsigned level)
{
    mfn_t m = mfn(pte_mfn(e));

    if (!(e & PTE_P))
        return;
    if (level > 1)
        hold_type(a, m, (enum frame_type)(TYPE_L1 + level - 2));
    else if (mfn_is_ram(m))
        hold_frame(a, m, e & PTE_RW);
}

static void count_table(struct audit *a, mfn_t m, unsigned level, unsigned entries)
{
    const volatile uint64_t *t = machine_frame(m);

    hold(a, m);
    for (unsigned i = 0; i < entries; i++) {
        if (level < 4 || pt_slot_guest(i))
            count_entry(a, t[i], level);
    }
}

/* What a frame's own state says about holders. */
static void count_frame(struct audit *a, mfn_t m)
{
    const struct frame *f = frame_of(m);
    enum frame_type type = type_of(f->type);

    if (f->refs & REFS_OWNED)
        hold(a, m);
    if (f->refs & REFS_HV)
        hold_type(a, m, TYPE_WRITABLE);
    if (f->type & TYPE_QUEUED)
        hold(a, m);
    if (f->type & TYPE_PINNED)
        hold_type(a, m, type);
    if (type >= TYPE_L1 && type <= TYPE_L4 && ((f->type & TYPE_VALID) || f->cursor))
        count_table(a, m, (unsigned)(type - TYPE_L1) + 1, f->type & TYPE_VALID ? PT_ENTRIES : f->cursor);
}

static void count_vcpu(struct audit *a, const struct vcpu *v)
{
    hold_if(a, v->root_kernel, TYPE_L4);
    hold_if(a, v->root_user, TYPE_L4);
    for (unsigned i = 0; i < GDT_GUEST_PAGES; i++)
        hold_if(a, v->gdt[i], TYPE_SEG);
    for (unsigned i = 0; i < LDT_PAGES; i++)
        hold_if(a, v->ldt[i], TYPE_SEG);
    hold_if(a, v->info_mfn, TYPE_WRITABLE);
    for (unsigned i = 0; i < 2; i++) {
        hold_if(a, v->runstate_area.mfn[i], TYPE_WRITABLE);
        hold_if(a, v->time_area.mfn[i], TYPE_WRITABLE);
    }
}

static void count_domain(struct audit *a, struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i])
            count_vcpu(a, d->vcpu[i]);
    }
    hold_if(a, d->pirq_eoi_mfn, TYPE_WRITABLE);
    grants_each_frame(d, hold_frame, a);
    ports_each_frame(d, hold_frame, a);
}

/* ---- Comparing ---- */

/* A dying domain's shared page may have lost the hypervisor's own reference while others map it. */
static bool hv_let_go(const struct frame *f)
{
    const struct domain *d = f->refs & REFS_HV ? domain_of_frame(f->owner) : NULL;

    return d && domain_dying(d);
}

static void compare(struct audit *a, mfn_t m)
{
    const struct frame *f = frame_of(m);
    const struct holders *h = &a->of[m.n];
    uint64_t refs = f->refs & REFS_COUNT, types = f->type & TYPE_COUNT;

    if (f->refs & REFS_FREE) {
        if (refs || h->refs)
            fault(a, m, "free, and the number of references", refs, h->refs);
        return;
    }
    if (hv_let_go(f) && refs + 1 == h->refs && types + 1 == h->types)
        return;
    if (f->owner == DOMID_XEN ? refs < h->refs : refs != h->refs)
        fault(a, m, "the number of references", refs, h->refs);
    if (types != h->types)
        fault(a, m, "the number of typed references", types, h->types);
    if (h->types && (h->mixed || h->kind != type_of(f->type)))
        fault(a, m, "the type", (uint64_t)type_of(f->type), h->kind);
    if (f->type & (TYPE_BUSY | TYPE_LOCKED))
        fault(a, m, "at rest, and BUSY or LOCKED", f->type & (TYPE_BUSY | TYPE_LOCKED), 0);
    if (types && !(f->type & TYPE_VALID))
        fault(a, m, "in use, and VALID", 0, 1);
    if (types && (f->type & TYPE_UNSTAMPED))
        fault(a, m, "in use, and UNSTAMPED", 1, 0);
}

static void compare_domain(struct audit *a, struct domain *d)
{
    uint64_t frames = 0, listed = 0, owned = 0;

    for (uint64_t n = 1; n < frame_count; n++) {
        const struct frame *f = &frame_table[n];

        if (f->owner == d->id && !(f->refs & (REFS_FREE | REFS_HV)) && (f->refs & REFS_COUNT)) {
            frames++;
            owned += !!(f->refs & REFS_OWNED);
        }
    }
    for (uint32_t n = d->page_list; n && listed <= owned; n = frame_table[n].next)
        listed++;
    if (frames != d->tot_pages || listed != owned) {
        a->faults++;
        hv_log(LOG_ERR, "audit: d%u has %lu frames, its account says %lu; %lu are on its list, %lu say so", d->id, frames,
               d->tot_pages, listed, owned);
    }
}

static void compare_shadows(struct audit *a, struct domain *d) { a->faults += shadow_audit(d); }

static void each_domain(struct audit *a, void (*run)(struct audit *a, struct domain *d))
{
    struct domain *d;
    domid_t from = 0;

    while ((d = domain_get_next(from)) != NULL) {
        from = (domid_t)(d->id + 1);
        run(a, d);
        domain_put(d);
    }
}

long audit_run(void)
{
    size_t size = frame_count * sizeof(struct holders);
    struct audit a = { .of = hv_alloc(size) };

    if (!a.of)
        return -ENOMEM;
    for (uint64_t n = 1; n < frame_count; n++) {
        if (mfn_is_ram(mfn(n)) && !(frame_table[n].refs & REFS_FREE))
            count_frame(&a, mfn(n));
    }
    each_domain(&a, count_domain);
    tbuf_each_frame(hold_frame, &a);
    for (uint64_t n = 1; n < frame_count; n++) {
        if (mfn_is_ram(mfn(n)))
            compare(&a, mfn(n));
    }
    each_domain(&a, compare_domain);
    each_domain(&a, compare_shadows);
    hv_free(a.of, size);
    return a.faults;
}

/* ---- The key ---- */

static void pause_domain(struct audit *a, struct domain *d)   { domain_pause(d); }
static void unpause_domain(struct audit *a, struct domain *d) { domain_unpause(d); }

void audit_show(void)
{
    long faults;

    each_domain(NULL, pause_domain);
    faults = audit_run();
    each_domain(NULL, unpause_domain);
    if (faults < 0)
        hv_log(LOG_ERR, "audit: not enough memory");
    else
        hv_log(LOG_ERR, "audit: %ld differences", faults);
}
