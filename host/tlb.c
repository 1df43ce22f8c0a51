/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLBs and the walk over a guest's page tables, in software.
 *
 * A TLB entry remembers which tables it came through, as silicon's paging-structure caches do. It stays until the core
 * flushes it, and the walk comes second: so a flush that the core forgot is a wrong access here, always. Two vCPUs that
 * take turns on a CPU without a change of root would see each other's translations, so machine_load_root() drops all.
 */
#include "host/inside.h"

#include "core/cpumask.h"
#include "core/log.h"
#include "core/shadow.h"
#include "lib/errno.h"
#include "x86/model/pte.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define SLOTS 512u /* by page number; a collision replaces, as silicon may at any time */

struct translation {
    bool valid, writable;
    uint64_t va;            /* of the page */
    mfn_t frame, table[5];  /* table[level], 1..4: the guest's, also if the walk was by its shadow */
    mfn_t shadow[5];        /* MFN_NONE: there is none */
    domid_t owner;          /* of the frame when it was filled */
};

static struct translation tlb[MAX_CPUS][SLOTS];
static _Atomic uint32_t flushed_at[MAX_CPUS];
static _Atomic uint32_t flush_clock = 1;
static pthread_mutex_t tlb_lock = PTHREAD_MUTEX_INITIALIZER;

_Atomic unsigned host_flushes;
_Thread_local uint32_t host_error;
void (*host_filled)(void);
bool host_flushes_lost;
void (*host_guest_moves)(void);

static struct translation *slot_of(unsigned cpu, uint64_t va)
{
    return &tlb[cpu][(va >> PAGE_SHIFT) % SLOTS];
}

/* ---- Filling ---- */

static bool walk(struct vcpu *v, uint64_t va, struct translation *t)
{
    mfn_t m = vcpu_root(v);
    bool shadows = !mfn_same(v->shadow_root[0], MFN_NONE);

    if (mfn_same(m, MFN_NONE) || !va_range_guest(va, 1))
        return false;
    *t = (struct translation){ .valid = true, .writable = true, .va = va & PAGE_MASK };
    for (unsigned level = 4; level; level--) {
        _Atomic uint64_t *slot = machine_frame(m);
        uint64_t e;

        if (!slot)
            panic("a page table of a guest is in frame %#lx, which is no RAM", m.n);
        slot += pt_index(va, level);
        e = *slot;
        t->shadow[level] = shadows ? m : MFN_NONE;
        t->table[level] = shadows ? mfn(frame_of(m)->prev) : m;
        if (!(e & PTE_P))
            return false;
        t->writable &= !!(e & PTE_RW);
        m = mfn(pte_mfn(e));
    }
    t->frame = m;
    t->owner = mfn_is_ram(m) ? frame_of(m)->owner : DOMID_IO;
    return true;
}

/* What is behind a translation: where no RAM is, nothing answers. */
static uint8_t *memory_of(mfn_t m)
{
    static _Thread_local uint8_t nothing[PAGE_SIZE];
    uint8_t *page = machine_frame(m);

    return page ? page : memset(nothing, 0xff, sizeof(nothing));
}

/*
 * One access by the TLB and, if need be, a walk. A fault drops the translation, as silicon's do. The lock is held at the end if
 * the memory may be accessed: a flush of this CPU waits until that was done.
 */
static uint8_t *try_access(struct vcpu *v, uint64_t va, bool write)
{
    struct translation *t = slot_of(host_cpu, va), fresh;
    uint8_t *page = NULL;

    pthread_mutex_lock(&tlb_lock);
    if (!t->valid || t->va != (va & PAGE_MASK) || (write && !t->writable)) {
        t->valid = false;
        if (walk(v, va, &fresh))
            *t = fresh;
    }
    if (t->valid && t->va == (va & PAGE_MASK) && (!write || t->writable))
        page = memory_of(t->frame);
    if (page)
        return page + (va & ~PAGE_MASK);
    pthread_mutex_unlock(&tlb_lock);
    return NULL;
}

/* The memory behind va on this CPU, until accessed(); NULL: page fault. `own`: the hypervisor's access. */
static uint8_t *access(struct vcpu *v, uint64_t va, bool write, bool own)
{
    uint32_t error = (write ? X86_PFEC_WRITE : 0) | (own ? 0 : X86_PFEC_USER);
    uint8_t *at = try_access(v, va, write);

    while (!at && (own ? shadow_own_fault(v, va, error) : shadow_fault(v, va, &error))) {
        if (host_filled)
            host_filled();
        at = try_access(v, va, write);
    }
    host_error = error;
    return at;
}

static void accessed(void)
{
    pthread_mutex_unlock(&tlb_lock);
}

/*
 * The guest's memory, by words where both are aligned so: others may access it meanwhile. It may be a frame in the allocator, which
 * the guest no longer has but still sees, until it is flushed or the frame leaves the allocator: no reason to complain.
 */
#define BY_GUEST __attribute__((no_sanitize("address"), noinline))
BY_GUEST static uint64_t load8(const void *at)          { return __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED); }
BY_GUEST static uint8_t load1(const void *at)           { return __atomic_load_n((const uint8_t *)at, __ATOMIC_RELAXED); }
BY_GUEST static void store8(void *at, uint64_t value)   { __atomic_store_n((uint64_t *)at, value, __ATOMIC_RELAXED); }
BY_GUEST static void store1(void *at, uint8_t value)    { __atomic_store_n((uint8_t *)at, value, __ATOMIC_RELAXED); }

static void move_bytes(uint8_t *ours, uint8_t *guests, size_t n, bool write)
{
    size_t step;

    for (; n; ours += step, guests += step, n -= step) {
        step = n >= 8 && !(((uintptr_t)ours | (uintptr_t)guests) & 7) ? 8 : 1;
        if (write && step == 8)
            store8(guests, *(uint64_t *)(void *)ours);
        else if (write)
            store1(guests, *ours);
        else if (step == 8)
            *(uint64_t *)(void *)ours = load8(guests);
        else
            *ours = load1(guests);
    }
}

/* ---- Flushes ---- */

void host_tlb_drop(unsigned cpu)
{
    pthread_mutex_lock(&tlb_lock);
    flushed_at[cpu] = flush_clock++;
    memset(tlb[cpu], 0, sizeof(tlb[cpu]));
    pthread_mutex_unlock(&tlb_lock);
}

void machine_flush_own(enum flush what, uint64_t va)
{
    machine_flush(cpumask_of(this_pcpu()->id), what, va);
}

void machine_flush(cpumask_t cpus, enum flush what, uint64_t va)
{
    unsigned cpu;

    for_each_cpu(cpu, cpus & pcpu_online) {
        host_flushes++;
        if (host_flushes_lost)
            continue;
        if (what == FLUSH_ALL) {
            host_tlb_drop(cpu);
        } else {
            pthread_mutex_lock(&tlb_lock);
            if (slot_of(cpu, va)->va == (va & PAGE_MASK))
                slot_of(cpu, va)->valid = false;
            pthread_mutex_unlock(&tlb_lock);
        }
    }
}

uint32_t machine_flush_stamp(void) { return flush_clock; }

cpumask_t machine_stale(cpumask_t cpus, uint32_t stamp)
{
    cpumask_t stale = 0;
    unsigned cpu;

    for_each_cpu(cpu, cpus & pcpu_online) {
        if ((int32_t)(flushed_at[cpu] - stamp) < 0)
            stale |= cpumask_of(cpu);
    }
    return stale;
}

/* ---- The guest's own accesses, and the hypervisor's to its memory ---- */

bool host_guest_load(struct vcpu *v, uint64_t va, uint64_t *value)
{
    uint8_t *at = access(v, va, false, false);

    if (!at)
        return false;
    move_bytes((uint8_t *)value, at, sizeof(*value), false);
    accessed();
    return true;
}

bool host_guest_store(struct vcpu *v, uint64_t va, uint64_t value)
{
    uint8_t *at = access(v, va, true, false);

    if (!at)
        return false;
    move_bytes((uint8_t *)&value, at, sizeof(value), true);
    accessed();
    return true;
}

static size_t copy(uint8_t *ours, uint64_t va, size_t n, bool write)
{
    struct vcpu *v = current_vcpu();

    if (!v || !va_range_guest(va, n))
        return n;
    if (host_guest_moves)
        host_guest_moves();
    while (n) {
        size_t part = MIN(n, (size_t)(PAGE_SIZE - (va & ~PAGE_MASK)));
        uint8_t *at = access(v, va, write, true);

        if (!at)
            break;
        move_bytes(ours, at, part, write);
        accessed();
        ours += part, va += part, n -= part;
    }
    return n;
}

size_t machine_copy_from_guest(void *to, guest_ptr_t from, size_t n)
{
    return copy(to, from.va, n, false);
}

/* There under the memory sanitizer only: ends the process if the guest would get what nobody wrote. */
__attribute__((weak)) void __msan_check_mem_is_initialized(const volatile void *from, size_t n);

size_t machine_copy_to_guest(guest_ptr_t to, const void *from, size_t n)
{
    if (__msan_check_mem_is_initialized)
        __msan_check_mem_is_initialized(from, n);
    return copy((uint8_t *)(uintptr_t)from, to.va, n, true);
}

int machine_cmpxchg_guest(guest_ptr_t p, uint64_t *old, uint64_t new, unsigned width)
{
    uint64_t was = *old;
    uint8_t *at;

    if (!va_range_guest(p.va, width) || (p.va & (width - 1)))
        return -EFAULT;
    if (host_guest_moves)
        host_guest_moves();
    at = access(current_vcpu(), p.va, true, true);
    if (!at)
        return -EFAULT;
    switch (width) {
    case 1: *old = __sync_val_compare_and_swap(at, (uint8_t)was, (uint8_t)new); break;
    case 2: *old = __sync_val_compare_and_swap((uint16_t *)(void *)at, (uint16_t)was, (uint16_t)new); break;
    case 4: *old = __sync_val_compare_and_swap((uint32_t *)(void *)at, (uint32_t)was, (uint32_t)new); break;
    default: *old = __sync_val_compare_and_swap((uint64_t *)(void *)at, was, new); break;
    }
    accessed();
    return 0;
}

/* ---- What a TLB may hold ---- */

static const char *fault_of(const struct translation *t)
{
    const struct frame *f;

    for (unsigned level = 1; level <= 4; level++) {
        mfn_t shadow = t->shadow[level];

        if (!mfn_same(shadow, MFN_NONE) && frame_of(shadow)->prev && frame_of(shadow)->prev != t->table[level].n)
            return "one of the shadows it came through stands for something else now";
        f = frame_of(t->table[level]);
        if (!(f->refs & REFS_FREE) && type_of(f->type) != (enum frame_type)(TYPE_L1 + level - 1))
            return "one of its tables is used as something else now";
    }
    if (!mfn_is_ram(t->frame))
        return NULL;
    f = frame_of(t->frame);
    if (f->refs & REFS_FREE)
        return NULL; /* flushed when it leaves the allocator */
    if (f->owner != t->owner)
        return "its frame is somebody else's now";
    if (t->writable && type_of(f->type) != TYPE_WRITABLE)
        return "it writes to a frame that is used as something else now";
    return NULL;
}

unsigned host_audit_tlbs(void)
{
    unsigned faults = 0, cpu;

    pthread_mutex_lock(&tlb_lock);
    for_each_cpu(cpu, pcpu_online) {
        for (unsigned i = 0; i < SLOTS; i++) {
            const struct translation *t = &tlb[cpu][i];
            const char *fault = t->valid ? fault_of(t) : NULL;

            if (!fault)
                continue;
            faults++;
            printf("CPU %u: stale translation of %#lx to frame %#lx%s: %s\n", cpu, t->va, t->frame.n,
                   t->writable ? " (writable)" : "", fault);
            fflush(stdout);
        }
    }
    pthread_mutex_unlock(&tlb_lock);
    return faults;
}

unsigned host_audit(void)
{
    host_ram_poison();
    return host_audit_tlbs();
}
