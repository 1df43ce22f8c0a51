/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waking the other CPUs: INIT, then two STARTUP messages that name a page below 1 MiB (x86/trampoline.S), one
 * CPU after the other. The page and its page tables are used for this only, while no guest runs yet.
 */
#include "x86/smp.h"

#include "boot/parse/acpi.h"
#include "core/cpumask.h"
#include "core/frame.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "core/trace.h"
#include "core/timer.h"
#include "lib/string.h"
#include "x86/apic.h"
#include "x86/asm.h"
#include "x86/clock.h"
#include "x86/mm.h"
#include "x86/model/pte.h"
#include "x86/percpu.h"
#include "x86/tlb.h"

#include <stdatomic.h>

#define LOW_END      0x9f000ull  /* above may be the BIOS's own */
#define TABLE        (PTE_P | PTE_RW | PTE_A)
#define WAIT_MS      3000u       /* for a CPU to come up; emulated ones take turns */

extern char trampoline_start[], trampoline_end[], trampoline_gdt[], trampoline_to32[], trampoline_to64[];
extern char trampoline_cr3[], trampoline_stack[], trampoline_cpu[], trampoline_entry[];

static uint64_t page;            /* maddr of the trampoline; its root is in the page behind it */
static _Atomic bool arrived;

/* The copy of something of the trampoline. */
static void *copy_of(const char *sym)
{
    return maddr_va(page + (uint64_t)(sym - trampoline_start));
}

/* Two pages of RAM below 1 MiB, the highest there are; 0: none. Page 0 is never taken. */
static uint64_t find_low_pages(const struct mem_map *map)
{
    uint64_t best = 0;

    for (unsigned i = 0; i < map->count; i++) {
        const struct mem_range *r = &map->range[i];
        uint64_t end = MIN(r->base + r->size, (uint64_t)LOW_END), at;

        if (r->type != MEM_RAM || end < r->base + 2 * PAGE_SIZE)
            continue;
        at = ROUNDDOWN(end - 2 * PAGE_SIZE, PAGE_SIZE);
        if (at >= r->base && at > best)
            best = at;
    }
    return best;
}

/* A root with the hypervisor's slots, and the trampoline at its own address. False without memory. */
static bool build_root(void)
{
    uint64_t *l4 = maddr_va(page + PAGE_SIZE), *l3 = hv_pages(0), *l2 = hv_pages(0), *l1 = hv_pages(0);

    if (!l3 || !l2 || !l1)
        return false;
    memcpy(l4, hv_root, PAGE_SIZE);
    l4[0] = va_maddr(l3) | TABLE;
    l3[0] = va_maddr(l2) | TABLE;
    l2[0] = va_maddr(l1) | TABLE;
    l1[page >> PAGE_SHIFT] = page | TABLE;
    return true;
}

static void free_root(void)
{
    uint64_t *l4 = maddr_va(page + PAGE_SIZE), *l3 = maddr_va(l4[0] & PTE_ADDR);
    uint64_t *l2 = maddr_va(l3[0] & PTE_ADDR), *l1 = maddr_va(l2[0] & PTE_ADDR);

    hv_pages_free(l1, 0);
    hv_pages_free(l2, 0);
    hv_pages_free(l3, 0);
}

/* The first thing that a CPU does in C. */
static _Noreturn void smp_ap_entry(struct x86_pcpu *c)
{
    percpu_load(c);
    tlb_load_root(hv_root_maddr);
    apic_init_cpu();
    c->core.online = true;
    atomic_fetch_or((_Atomic cpumask_t *)&pcpu_online, cpumask_of(c->core.id));
    arrived = true;
    smp_ap_main(&c->core);
}

static bool prepare(const struct mem_map *map)
{
    page = find_low_pages(map);
    if (!page || (size_t)(trampoline_end - trampoline_start) > PAGE_SIZE || !build_root())
        return false;
    memcpy(maddr_va(page), trampoline_start, (size_t)(trampoline_end - trampoline_start));
    *(uint32_t *)copy_of(trampoline_gdt) += (uint32_t)page;
    *(uint32_t *)copy_of(trampoline_to32) += (uint32_t)page;
    *(uint32_t *)copy_of(trampoline_to64) += (uint32_t)page;
    *(uint64_t *)copy_of(trampoline_cr3) = page + PAGE_SIZE;
    *(uint64_t *)copy_of(trampoline_entry) = (uint64_t)smp_ap_entry;
    return true;
}

/* Sends the messages; true when the CPU says that it is up. */
static bool wake(struct x86_pcpu *c)
{
    *(uint64_t *)copy_of(trampoline_stack) = (uint64_t)&c->top->regs;
    *(uint64_t *)copy_of(trampoline_cpu) = (uint64_t)c;
    arrived = false;
    apic_send_init(c->core.apic_id);
    clock_delay_us(10000);
    for (unsigned i = 0; i < 2 && !arrived; i++) {
        apic_send_startup(c->core.apic_id, (uint8_t)(page >> PAGE_SHIFT));
        clock_delay_us(200);
    }
    for (unsigned ms = 0; ms < WAIT_MS && !arrived; ms++)
        clock_delay_us(1000);
    if (!arrived)
        apic_send_init(c->core.apic_id); /* it must not come later */
    return arrived;
}

/* Builds CPU number pcpu_count and wakes it. False if it is not usable. */
static bool start(const struct acpi_cpu *cpu)
{
    unsigned id = pcpu_count;
    struct x86_pcpu *c = percpu_create(id);

    if (!c) {
        hv_log(LOG_ERR, "no memory for CPU %u", id);
        return false;
    }
    c->core.apic_id = cpu->apic_id;
    c->core.acpi_id = cpu->uid;
    c->core.node = cpu->node;
    pcpus[id] = &c->core;
    if (timers_init_cpu(id) || sched_init_cpu(id) || trace_init_cpu(id)) {
        pcpus[id] = NULL;
        hv_log(LOG_ERR, "no memory for the queues of CPU %u", id);
        return false;
    }
    if (!wake(c)) {
        pcpus[id] = NULL;
        hv_log(LOG_ERR, "the CPU with APIC id %u does not start", cpu->apic_id);
        return false;
    }
    pcpu_count++;
    return true;
}

void smp_identify_boot_cpu(struct pcpu *c, const struct acpi_info *acpi)
{
    c->apic_id = apic_id();
    for (unsigned i = 0; i < acpi->nr_cpus; i++) {
        if (acpi->cpu[i].apic_id == c->apic_id) {
            c->acpi_id = acpi->cpu[i].uid;
            c->node = acpi->cpu[i].node;
        }
    }
}

/* It is to be started: there, not the boot CPU, and its id is one that INIT can be sent to. */
static bool is_wanted(const struct acpi_cpu *cpu, uint32_t self)
{
    if (!cpu->enabled || cpu->apic_id == self)
        return false;
    if (apic_reaches(cpu->apic_id))
        return true;
    hv_log(LOG_ERR, "the CPU with APIC id %u is left out: ids above 254 need x2APIC, which is not in use", cpu->apic_id);
    return false;
}

void smp_init(const struct acpi_info *acpi, const struct mem_map *map, unsigned max)
{
    uint32_t self = apic_id();

    if (!max || max > MAX_CPUS)
        max = MAX_CPUS;
    if (max > 1 && !prepare(map)) {
        hv_log(LOG_ERR, "no memory below 1 MiB to start other CPUs from");
        return;
    }
    for (unsigned i = 0; i < acpi->nr_cpus && pcpu_count < max; i++)
        if (is_wanted(&acpi->cpu[i], self))
            start(&acpi->cpu[i]);
    if (max > 1)
        free_root();
}
