/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exit roots: what a CPU that leaks kernel memory to user mode (Meltdown) may have mapped while a guest
 * runs.
 *
 * Each CPU has one root table of its own for guests. Its guest slots are a copy of the root that the
 * current vCPU has loaded; of the hypervisor's it has, and xpti_check() counts:
 *   the M2P, which guests may read       the section of the entry code       the IDT
 *   this CPU's own stacks, descriptor windows and TSS
 * Entry code goes from it to the vCPU's real root (stack_top.full_root) first, and back to it last. Each
 * of these loads of CR3 flushes; nothing of the hypervisor's may be global then, so CR4.PGE stays off.
 *
 * The copy follows its original: a CPU that loads a root, or whose loaded root has a changed entry, is
 * marked stale, and copies again on its way to the guest. Who changes an entry marks every CPU that has
 * the root loaded and makes those in guest mode come by (a flush). Either the one who changes sees that
 * the other has the root loaded, or the other copies the new entry: each writes its own word before it
 * reads the other's.
 */
#include "x86/xpti.h"

#include "boot/parse/cmdline.h"
#include "core/cpumask.h"
#include "core/domain.h"
#include "core/flush.h"
#include "core/frame.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/vcpu.h"
#include "x86/asm.h"
#include "x86/mm.h"
#include "x86/model/leaks.h"
#include "x86/model/msr.h"
#include "x86/model/pte.h"

#define ENTRY_TEXT (PTE_P | PTE_A)
#define ENTRY_DATA (PTE_P | PTE_A | PTE_NX)

bool machine_leaks_l1;
static bool for_dom0, for_domu;
static const void *idt_page;

/* ---- Whether ---- */

static bool cpu_leaks(void)
{
    struct cpuid_regs r = cpuid(0, 0);
    bool has_caps = r.eax >= 7 && (cpuid(7, 0).edx & (1u << 29));

    return meltdown_possible(r.ebx, r.ecx, r.edx, has_caps ? rdmsr(MSR_IA32_ARCH_CAPS) : 0);
}

static bool decide(enum option_choice choice, bool leaks)
{
    return choice == OPTION_DEFAULT ? leaks : choice == OPTION_ON;
}

void xpti_init(const struct boot_options *o)
{
    bool leaks = cpu_leaks();

    machine_leaks_l1 = leaks;
    for_dom0 = decide(o->xpti_dom0, leaks);
    for_domu = decide(o->xpti_domu, leaks);
    hv_log(LOG_INFO, "XPTI: dom0 %s, domU %s; this CPU %s it", for_dom0 ? "on" : "off",
           for_domu ? "on" : "off", leaks ? "needs" : "does not need");
}

bool xpti_in_use(void)
{
    return for_dom0 || for_domu;
}

/* ---- The hypervisor's slots ---- */

static void map_page(uint64_t *root, const void *p, uint64_t flags)
{
    *mm_make_entry(root, (uint64_t)p, 1) = image_maddr(p) | flags;
}

void xpti_init_cpu(struct x86_pcpu *c, const void *idt)
{
    uint64_t own = PERCPU_VA + (uint64_t)c->core.id * PERCPU_SIZE;

    if (!xpti_in_use())
        return;
    idt_page = idt;
    c->exit_table = hv_pages(0);
    if (!c->exit_table)
        panic("no memory for the exit root of CPU %u", c->core.id);
    c->exit_table[pt_index(M2P_VA, 4)] = hv_root[pt_index(M2P_VA, 4)];
    for (const char *p = entry_start; p < entry_end; p += PAGE_SIZE)
        map_page(c->exit_table, p, ENTRY_TEXT);
    map_page(c->exit_table, idt, ENTRY_DATA);
    /* The table of the stacks and windows is shared: it is this CPU's alone, and the windows change in it. */
    *mm_make_entry(c->exit_table, own, 2) = *mm_entry(hv_root, own, 2);
}

/* ---- The guest's slots ---- */

void xpti_root_loaded(struct vcpu *v)
{
    struct x86_pcpu *c = this_cpu();

    if (!(v->domain == dom0 ? for_dom0 : for_domu))
        return;
    c->top->exit_root = va_maddr(c->exit_table);
    c->exit_stale = true;
}

/* Entry by entry: others may be changing the original. */
void xpti_fill(struct x86_pcpu *c)
{
    const uint64_t *from = maddr_va(c->top->full_root);

    atomic_exchange(&c->exit_stale, false);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        if (pt_slot_guest(i))
            WRITE_ONCE(c->exit_table[i], READ_ONCE(from[i]));
    }
}

void machine_root_changed(mfn_t root)
{
    cpumask_t others = 0;
    unsigned cpu;

    if (!xpti_in_use())
        return;
    for_each_cpu(cpu, pcpu_online) {
        struct x86_pcpu *c = (struct x86_pcpu *)pcpus[cpu];

        if (c->top->full_root != mfn_maddr(root))
            continue;
        c->exit_stale = true;
        others |= cpumask_of(cpu);
    }
    others &= ~cpumask_of(this_pcpu()->id);
    if (others)
        flush_tlbs(others, FLUSH_ALL, 0);
}

/* ---- The check ---- */

enum kind { KIND_M2P, KIND_TEXT, KIND_IDT, KIND_OWN, KINDS };

struct seen { const struct x86_pcpu *c; uint64_t bytes[KINDS]; };

static bool within(uint64_t va, uint64_t start, uint64_t size)
{
    return va >= start && va - start < size;
}

/* What a leaf at va is; KINDS: not for guests. */
static enum kind kind_of(const struct x86_pcpu *c, uint64_t va, uint64_t leaf)
{
    uint64_t own = PERCPU_VA + (uint64_t)c->core.id * PERCPU_SIZE;

    if (leaf & PTE_G)
        return KINDS;
    if (within(va, own, PERCPU_TSS + PAGE_SIZE))
        return leaf & PTE_NX && !(leaf & PTE_US) ? KIND_OWN : KINDS;
    if (leaf & PTE_RW)
        return KINDS;
    if (within(va, M2P_VA, IO_VA - M2P_VA))
        return KIND_M2P;
    if (leaf & PTE_US)
        return KINDS;
    if (within(va, (uint64_t)entry_start, (uint64_t)(entry_end - entry_start)))
        return KIND_TEXT;
    return va == (uint64_t)idt_page ? KIND_IDT : KINDS;
}

/* The machine address behind va in the hypervisor's own root, or ~0. */
static uint64_t real_maddr(uint64_t va)
{
    for (unsigned level = 4; level > 0; level--) {
        const uint64_t *e = mm_entry(hv_root, va, level);

        if (!e || !(*e & PTE_P))
            return ~0ull;
        if (level == 1 || *e & PTE_PSE)
            return (*e & PTE_ADDR & ~(pt_span(level) - 1)) + (va & (pt_span(level) - 1));
    }
    return ~0ull;
}

static void see_leaf(struct seen *s, uint64_t va, uint64_t leaf, unsigned level)
{
    enum kind kind = kind_of(s->c, va, leaf);

    if (kind < KINDS && (leaf & PTE_ADDR & ~(pt_span(level) - 1)) == real_maddr(va))
        s->bytes[kind] += pt_span(level);
    else
        panic("XPTI: the exit root of CPU %u maps %#lx as %#lx", s->c->core.id, va, leaf);
}

/* Depth 4. */
static void see_table(struct seen *s, const uint64_t *table, uint64_t va, unsigned level)
{
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        uint64_t at = va + i * pt_span(level), e = table[i];

        if (level == 4 && i >= PT_ENTRIES / 2)
            at |= 0xffffull << 48;
        if (!(e & PTE_P))
            continue;
        if (level > 1 && !(e & PTE_PSE))
            see_table(s, maddr_va(e & PTE_ADDR), at, level - 1);
        else
            see_leaf(s, at, e, level);
    }
}

void xpti_check(void)
{
    struct seen s = { 0 };

    if (!xpti_in_use())
        return;
    for (unsigned cpu = 0; cpu < pcpu_count; cpu++) {
        s = (struct seen){ .c = (struct x86_pcpu *)pcpus[cpu] };
        see_table(&s, s.c->exit_table, 0, 4);
    }
    hv_log(LOG_INFO,
           "XPTI: while a guest runs, a CPU has mapped: M2P %lu KiB, entry text %lu KiB, IDT %lu KiB, "
           "own stacks, descriptors and TSS %lu KiB",
           s.bytes[KIND_M2P] >> 10, s.bytes[KIND_TEXT] >> 10, s.bytes[KIND_IDT] >> 10,
           s.bytes[KIND_OWN] >> 10);
}
