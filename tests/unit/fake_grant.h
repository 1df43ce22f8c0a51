/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Four domains with memory, one page table each, and grant tables, on the real frame counters and allocator;
 * world_audit() recomputes every count from what is there. Included once by a test, after cmocka.h.
 *
 * Strict where silicon is lax: a guest's argument is garbage after it was read once; a TLB keeps what it saw
 * until it is flushed, and at that moment whatever is stale in it must still be held; each load of a shared
 * entry may be followed by the guest's own next move (world_hook).
 */
#ifndef TESTS_UNIT_FAKE_GRANT_H
#define TESTS_UNIT_FAKE_GRANT_H

#include <pthread.h>
#include <string.h>

#define machine_flush fake_core_flush
#include "tests/unit/fake_core.h"
#include "tests/unit/plenty.h"
#undef machine_flush
void machine_flush(cpumask_t cpus, enum flush what, uint64_t va);

#include "core/alloc.c"
#include "core/frame.c"
#include "core/frame_steal.c"
#include "core/lock.c"

/* The guest's move after each load, before each exchange, of a shared word. */
static void (*world_hook)(void);
static void world_move(void)
{
    if (world_hook)
        world_hook();
}

#undef atomic_load
#define atomic_load(p)                                                                                       \
    ({                                                                                                       \
        __auto_type loaded_ = atomic_load_explicit(p, memory_order_seq_cst);                                 \
        world_move();                                                                                        \
        loaded_;                                                                                             \
    })
#undef atomic_compare_exchange_strong
#define atomic_compare_exchange_strong(p, old, new)                                                          \
    (world_move(),                                                                                           \
     atomic_compare_exchange_strong_explicit(p, old, new, memory_order_seq_cst, memory_order_seq_cst))
#include "core/grant_entry.c"
#include "core/grant_transfer.c"
#undef atomic_load
#define atomic_load(p) atomic_load_explicit(p, memory_order_seq_cst)
#undef atomic_compare_exchange_strong
#define atomic_compare_exchange_strong(p, old, new) \
    atomic_compare_exchange_strong_explicit(p, old, new, memory_order_seq_cst, memory_order_seq_cst)
#include "core/grant.c"
#include "core/grant_copy.c"
#include "core/grant_map.c"
#include "abi/grant_table.c"

enum { DOMS = 4, SLOTS = 512, WORLD_FRAMES = 4096 };
#define VA(slot)  (0x70000000ull + (uint64_t)(slot) * PAGE_SIZE)
#define BAD_POINTER ((void *)0xffff800000000000ull)

static struct domain doms[DOMS];
static struct vcpu vcpus[DOMS];
static mfn_t l1[DOMS];
static _Atomic uint64_t tlb[DOMS][SLOTS];
static bool guests_honest, arguments_decay;
static _Atomic unsigned restarts;
static unsigned budget_units;
static uint64_t m2p_table[FAKE_FRAMES];
struct domain *dom0 = &doms[0];

/* ---- Machine ---- */

uint64_t *machine_m2p(void) { return m2p_table; }

static _Atomic uint64_t *slot_of(unsigned d, unsigned i)
{
    return (_Atomic uint64_t *)machine_frame(l1[d]) + i;
}

void machine_flush(cpumask_t cpus, enum flush what, uint64_t va)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER; /* what one flush took is looked at before another is over */
    uint64_t seen, held;

    pthread_mutex_lock(&one);
    for (unsigned d = 0; d < DOMS; d++) {
        for (unsigned i = 0; (cpus & doms[d].dirty_cpus) && i < SLOTS; i++) {
            seen = atomic_exchange(&tlb[d][i], 0);
            if (!seen || seen == *slot_of(d, i))
                continue;
            held = frame_of(mfn(pte_mfn(seen)))->refs;
            assert_true((held & REFS_COUNT) > !!(held & REFS_OWNED));
            assert_true(!(seen & PTE_RW) || (frame_of(mfn(pte_mfn(seen)))->type & TYPE_COUNT));
        }
    }
    pthread_mutex_unlock(&one);
    fake_core_flush(cpus, what, va);
}

size_t machine_copy_from_guest(void *to, guest_ptr_t from, size_t n)
{
    if (from.va >= (uint64_t)(uintptr_t)BAD_POINTER)
        return n;
    memcpy(to, (void *)(uintptr_t)from.va, n);
    if (arguments_decay)
        memset((void *)(uintptr_t)from.va, 0xa5, n);
    return 0;
}

size_t machine_copy_to_guest(guest_ptr_t to, const void *from, size_t n)
{
    if (to.va >= (uint64_t)(uintptr_t)BAD_POINTER)
        return n;
    memcpy((void *)(uintptr_t)to.va, from, n);
    return 0;
}

void guest_log(struct domain *d, enum loglevel level, const char *fmt, ...) { }
long refuse(struct vcpu *v, long err, const char *fmt, ...) { return err; }

/* ---- Domains ---- */

static struct domain *dom_by_id(domid_t id) { return id < DOMS ? &doms[id] : NULL; }

struct domain *domain_get(domid_t id)
{
    struct domain *d = dom_by_id(id);

    if (d && d->life != DOMAIN_DEAD)
        d->refs++;
    return d && d->life != DOMAIN_DEAD ? d : NULL;
}

struct domain *domain_target(struct domain *caller, domid_t id, int *err)
{
    struct domain *d = domain_get(id == DOMID_SELF ? caller->id : id);

    if (!d)
        *err = -ESRCH;
    if (d && d != caller && !domain_may(caller, PRIV_CONTROL)) {
        *err = -EPERM;
        domain_put(d);
        return NULL;
    }
    return d;
}

void domain_ref(struct domain *d) { d->refs++; }

void domain_put(struct domain *d)
{
    uint32_t before = d->refs--;

    assert_true(before > 0);
}

void domain_frame_added(struct domain *d)
{
    d->tot_pages++;
    d->refs++;
}

void domain_frame_gone(domid_t owner, bool hv)
{
    struct domain *d = dom_by_id(owner);

    assert_non_null(d);
    if (!hv)
        d->tot_pages--;
    domain_put(d);
}

struct domain *domain_of_frame(domid_t owner) { return dom_by_id(owner); }

/* ---- Page tables: one L1 a domain, its slots at VA(0).. ---- */

int pt_validate(struct domain *d, mfn_t m, enum frame_type type)
{
    frame_of(m)->cursor = PT_ENTRIES;
    return 0;
}

static unsigned undone_later; /* so often, a table is not undone in one go */

int pt_devalidate(struct domain *d, mfn_t m, enum frame_type type)
{
    if (undone_later && undone_later--)
        return -ERESTART;
    frame_of(m)->cursor = 0;
    return 0;
}

static void pte_put(uint64_t e)
{
    if (!(e & PTE_P))
        return;
    if (e & PTE_RW)
        type_put(mfn(pte_mfn(e)));
    frame_put(mfn(pte_mfn(e)));
}

int pt_find_l1(struct vcpu *v, uint64_t va, mfn_t *table, unsigned *i)
{
    if (va < VA(0) || va >= VA(SLOTS))
        return -EINVAL;
    *table = l1[v->domain->id];
    *i = pt_index(va, 1);
    assert_int_equal(pt_index(VA(0), 1), 0);
    return frame_get_type(v->domain, *table, TYPE_L1);
}

bool pt_read_l1(struct vcpu *v, uint64_t va, uint64_t *entry)
{
    *entry = *slot_of(v->domain->id, pt_index(va, 1));
    return true;
}

int pt_set(mfn_t table, unsigned i, uint64_t entry, struct domain *owner, struct domain *from, bool preserve)
{
    assert_true(mfn_same(table, l1[owner->id]) && !entry);
    pte_put(atomic_exchange(slot_of(owner->id, i), 0));
    return 0;
}

static bool in_l1(struct vcpu *v, uint64_t addr)
{
    return mfn_same(maddr_mfn(addr), l1[v->domain->id]);
}

static bool grant_place_of(struct vcpu *v, const struct pt_grant *g, unsigned *i)
{
    *i = g->contains_pte ? g->addr % PAGE_SIZE / 8 : pt_index(g->addr, 1);
    return !(g->addr % (g->contains_pte ? 8 : PAGE_SIZE)) &&
           (g->contains_pte ? in_l1(v, g->addr) : g->addr >= VA(0) && g->addr < VA(SLOTS));
}

void pt_grant_map(struct vcpu *v, struct pt_grant *g, unsigned n)
{
    unsigned d = v->domain->id, i;

    for (; n--; g++) {
        g->pte = 0;
        if (!g->entry || !grant_place_of(v, g, &i))
            continue;
        g->pte = mfn_maddr(l1[d]) + 8 * i;
        pte_put(atomic_exchange(slot_of(d, i), g->entry));
        tlb[d][i] = g->entry;
    }
}

void pt_grant_map_one(struct vcpu *v, struct pt_grant *g) { pt_grant_map(v, g, 1); }

/* What another CPU does while an entry is being replaced. */
static void (*unmap_hook)(void);

void pt_grant_clear(struct vcpu *v, struct pt_grant_gone *g, unsigned n)
{
    for (; n--; g++) {
        _Atomic uint64_t *slot = slot_of(v->domain->id, g->pte % PAGE_SIZE / 8);
        uint64_t e = *slot;

        g->old = 0;
        if (!g->pte)
            continue;
        if (unmap_hook)
            unmap_hook();
        assert_true(in_l1(v, g->pte));
        if ((e & PTE_P) && pte_mfn(e) == g->m.n) {
            *slot = 0;
            g->old = e;
        }
    }
}

void pt_grant_clear_one(struct vcpu *v, struct pt_grant_gone *g) { pt_grant_clear(v, g, 1); }

int pt_grant_replace(struct vcpu *v, uint64_t addr, mfn_t m, uint64_t entry, uint64_t *old)
{
    struct pt_grant_gone gone = { .pte = addr, .m = m };

    if (!frame_get(mfn(pte_mfn(entry)), v->domain->id))
        return GNTST_general_error;
    if ((entry & PTE_RW) && type_get(v->domain, mfn(pte_mfn(entry)), TYPE_WRITABLE))
        fail_msg("a page of one's own");
    pt_grant_clear(v, &gone, 1);
    if (!gone.old) {
        pte_put(entry);
        return GNTST_general_error;
    }
    *slot_of(v->domain->id, addr % PAGE_SIZE / 8) = entry;
    *old = gone.old;
    return GNTST_okay;
}

/* ---- The edge ---- */

long subop_run(struct hypercall *hc, const struct subop *table, unsigned n, uint64_t cmd, guest_ptr_t arg)
{
    uint64_t copy[SUBOP_MAX_SIZE / 8] = { 0 };
    const struct subop *s = NULL;
    long rc;

    for (unsigned i = 0; i < n; i++)
        if (table[i].cmd == cmd)
            s = &table[i];
    if (!s)
        return -ENOSYS;
    if (s->copy == ARG_NONE)
        return s->run(hc, NULL);
    if (guest_read(copy, arg, s->size))
        return -EFAULT;
    rc = s->run(hc, copy);
    if ((rc >= 0 || s->copy == ARG_INOUT_ALWAYS) && guest_write(arg, copy, s->size))
        return -EFAULT;
    return rc;
}

/* The hypercall as domain d makes it, continued until it is done. */
static long gnttab(unsigned d, unsigned cmd, void *ops, unsigned count)
{
    struct hypercall hc = { .v = &vcpus[d], .d = &doms[d], .arg = { cmd, (uint64_t)(uintptr_t)ops, count } };
    long rc;

    this_pcpu()->current = &vcpus[d];
    do {
        this_pcpu()->budget = budget_units;
        rc = do_grant_table_op(&hc);
        assert_int_equal(this_pcpu()->locks_held, 0);
        restarts += rc == -ERESTART;
    } while (rc == -ERESTART);
    return rc;
}

static inline int16_t map(unsigned by, unsigned of, grant_ref_t ref, uint32_t flags, uint64_t addr,
                          struct gnttab_map_grant_ref *op)
{
    *op = (struct gnttab_map_grant_ref){
        .host_addr = addr, .flags = flags, .ref = ref, .dom = (domid_t)of, .status = 1
    };
    assert_int_equal(gnttab(by, GNTTABOP_map_grant_ref, op, 1), 0);
    return op->status;
}

static inline int16_t unmap(unsigned by, grant_handle_t handle, uint64_t addr, uint64_t dev)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = addr, .dev_bus_addr = dev, .handle = handle, .status = 1
    };

    assert_int_equal(gnttab(by, GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

/* ---- What a guest does to its table ---- */

static inline void entry_v1(unsigned d, grant_ref_t ref, unsigned flags, domid_t to, uint32_t frame)
{
    struct grant_entry_v1 *e = grant_shared(grant_table(&doms[d]), ref);

    e->domid = to;
    e->frame = frame;
    atomic_store((_Atomic uint16_t *)&e->flags, (uint16_t)flags);
}

static inline union grant_entry_v2 *entry_v2(unsigned d, grant_ref_t ref)
{
    return grant_shared(grant_table(&doms[d]), ref);
}

static inline unsigned flags_v1(unsigned d, grant_ref_t ref)
{
    return ((struct grant_entry_v1 *)grant_shared(grant_table(&doms[d]), ref))->flags;
}

/* ---- The world ---- */

static mfn_t frame_new(unsigned d)
{
    mfn_t m = frames_alloc(0, 0);

    assert_false(mfn_same(m, MFN_NONE));
    lock(&doms[d].lock);
    frame_assign(&doms[d], m);
    unlock(&doms[d].lock);
    return m;
}

static inline int world_new(void **state)
{
    (void)state;
    fake_machine(WORLD_FRAMES);
    memset(nodes, 0, sizeof(nodes));
    memset(slabs, 0, sizeof(slabs));
    memset(doms, 0, sizeof(doms));
    memset(vcpus, 0, sizeof(vcpus));
    memset(tlb, 0, sizeof(tlb));
    world_hook = unmap_hook = NULL;
    guests_honest = arguments_decay = true;
    budget_units = PLENTY;
    restarts = undone_later = 0;
    frames_add(mfn(1), mfn(WORLD_FRAMES));
    for (unsigned d = 0; d < DOMS; d++) {
        doms[d].id = (domid_t)d;
        doms[d].privileges = d ? 0 : PRIV_ALL;
        doms[d].refs = 1;
        doms[d].max_pages = WORLD_FRAMES;
        doms[d].dirty_cpus = 1ull << d;
        lock_init(&doms[d].lock, LOCK_DOMAIN);
        vcpus[d].domain = &doms[d];
        assert_int_equal(grants_init(&doms[d], ~0u, ~0u, 2), 0);
        l1[d] = frame_new(d);
        assert_int_equal(frame_get_type(&doms[d], l1[d], TYPE_L1), 0);
    }
    return 0;
}

/* Kills and frees all domains; every frame must be back. */
static inline int world_end(void **state)
{
    (void)state;
    world_hook = NULL;
    for (unsigned d = 0; d < DOMS; d++) {
        doms[d].life = DOMAIN_DYING;
        this_pcpu()->current = &vcpus[d];
        this_pcpu()->budget = ~0u;
        assert_int_equal(grants_kill(&doms[d]), 0);
        assert_int_equal(grants_mapped(&doms[d]), 0);
        for (unsigned i = 0; i < SLOTS; i++)
            pte_put(atomic_exchange(slot_of(d, i), 0));
        frame_put_type(l1[d]);
        assert_true(type_drain(&vcpus[d]));
    }
    for (unsigned d = 0; d < DOMS; d++) {
        lock(&doms[d].lock);
        while (doms[d].page_list)
            assert_true(frame_release(&doms[d], mfn(doms[d].page_list)));
        unlock(&doms[d].lock);
        assert_int_equal(doms[d].tot_pages, 0);
        assert_int_equal(grant_table(&doms[d])->pinned, 0);
        grants_free(&doms[d]);
        assert_int_equal(doms[d].refs, 1);
    }
    assert_int_equal(frames_free_count(), frames_total_count());
    free(fake_ram);
    free(frame_table);
    fake_ram = NULL;
    frame_table = NULL;
    return 0;
}

/* ---- Memory that runs out ---- */

static uint64_t hoard[WORLD_FRAMES];
static unsigned hoarded;

/* All of it is taken but `spare` frames. */
static inline void memory_leave(unsigned spare)
{
    while (frames_free_count() > spare)
        hoard[hoarded++] = frames_alloc(0, 0).n;
}

static inline void memory_return(void)
{
    while (hoarded)
        frames_free(mfn(hoard[--hoarded]), 0, false);
}

/* ---- The audit ---- */

struct count { unsigned general, writable; };
static struct count uses[FAKE_FRAMES];

static void count_use(mfn_t m, bool write)
{
    uses[m.n].general++;
    uses[m.n].writable += write;
}

/* Uses of frames by mappings and by page-table entries; pins that the mappings of all domains stand for. */
static void count_mappings(struct active *pins[DOMS])
{
    const struct grant_table *t;
    const struct mapping *m;
    unsigned mapped;

    for (unsigned d = 0; d < DOMS; d++) {
        t = grant_table(&doms[d]);
        mapped = 0;
        for (grant_handle_t h = 0; h < t->nr_map_pages * MAPPINGS_PER_PAGE; h++) {
            m = mapping_at(t, h);
            if (!m->granter)
                continue;
            mapped++;
            assert_false(m->flags & MAPPING_BUSY);
            assert_true(m->flags & (GNTMAP_host_map | GNTMAP_device_map));
            count_use(m->frame, !(m->flags & GNTMAP_readonly));
            if (m->flags & GNTMAP_readonly)
                pins[m->granter->id][m->ref].readers++;
            else
                pins[m->granter->id][m->ref].writers++;
        }
        assert_int_equal(mapped, t->mapped);
        for (unsigned i = 0; i < SLOTS; i++) {
            uint64_t e = *slot_of(d, i);

            if (e & PTE_P)
                count_use(mfn(pte_mfn(e)), e & PTE_RW);
            assert_true(!tlb[d][i] || tlb[d][i] == e); /* nothing stale after a hypercall */
        }
    }
}

/* G1, G2 and G4 of core/grant_table.h. */
static void check_entries(const struct grant_table *t, const struct active *pins)
{
    unsigned pinned = 0, marks, type;
    uint32_t header;

    for (grant_ref_t ref = 0; ref < grant_limit(t); ref++) {
        static const struct active none;
        const struct active *a = *grant_active_page(t, ref) ? grant_active(t, ref) : &none;

        assert_int_equal(a->readers, pins[ref].readers);
        assert_int_equal(a->writers, pins[ref].writers);
        pinned += active_bits(a) != 0;
        header = *grant_header(t, ref);
        type = header & GTF_type_mask;
        marks = t->version == 2 ? *grant_status(t, ref) : header & (GTF_reading | GTF_writing);
        if (guests_honest && (type == GTF_permit_access || type == GTF_transitive))
            assert_int_equal(marks, active_bits(a));
    }
    if (!t->dead)
        assert_int_equal(pinned, t->pinned);
}

static inline void world_audit(void)
{
    enum { REFS = 64 * 512 };
    struct active *pins[DOMS];
    struct frame *f;

    memset(uses, 0, sizeof(uses));
    for (unsigned d = 0; d < DOMS; d++)
        pins[d] = calloc(REFS, sizeof(struct active));
    count_mappings(pins);
    for (unsigned d = 0; d < DOMS; d++) {
        check_entries(grant_table(&doms[d]), pins[d]);
        free(pins[d]);
        for (uint32_t n = doms[d].page_list; n; n = frame_table[n].next) {
            f = &frame_table[n];
            assert_int_equal(f->owner, d);
            if (n == l1[d].n)
                continue;
            assert_int_equal(f->refs, REFS_OWNED | (1 + uses[n].general));
            assert_int_equal(f->type & TYPE_COUNT, uses[n].writable);
        }
    }
}

#endif
