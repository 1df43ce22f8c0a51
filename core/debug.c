/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug keys: each walks what there is and says how it is, one line an item, with the letters that Xen's users know.
 *
 * A position in a report about domains is the domain's id in the high half, where in the domain in the low half; a domain that
 * is gone is passed over.
 */
#include "core/debug.h"

#include "core/audit.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/keys.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/node_affinity.h"
#include "core/pcpu.h"
#include "core/perf.h"
#include "core/port.h"
#include "core/reservation.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/trace.h"
#include "core/vcpu.h"
#include "lib/string.h"

/* ---- Domains ---- */

/* `show` says a piece about d from `sub` on and gives the next one, 0: no more of d. */
static uint64_t each_domain(uint64_t at, uint32_t (*show)(struct domain *d, uint32_t sub))
{
    domid_t from = (domid_t)(at >> 32);
    struct domain *d = domain_get_next(from);
    uint64_t next;

    if (!d)
        return 0;
    next = show(d, d->id == from ? (uint32_t)at : 0);
    next = next ? (uint64_t)d->id << 32 | next : ((uint64_t)d->id + 1) << 32;
    domain_put(d);
    return next;
}

static void show_vcpu(struct vcpu *v)
{
    struct vcpu_runstate_info r;

    sched_runstate(v, &r);
    hv_log(LOG_ERR, "    VCPU%u: CPU%u [has=%c] poll=%#x upcall_pend=%02x upcall_mask=%02x, pause %#x, %s mode, rip %#lx",
           v->id, v->cpu, v->running_on >= 0 ? 'T' : 'F', v->poll_port, v->info->evtchn_upcall_pending,
           v->info->evtchn_upcall_mask, v->pause, v->kernel_mode ? "kernel" : "user", v->saved.rip);
    hv_log(LOG_ERR, "      affinity hard %#lx soft %#lx, ms running %lu runnable %lu blocked %lu offline %lu",
           v->hard, v->soft, r.time[0] / 1000000, r.time[1] / 1000000, r.time[2] / 1000000, r.time[3] / 1000000);
    /* The guest says of itself what it likes to. */
    virq_raise(v, VIRQ_DEBUG);
}

static uint32_t show_domain(struct domain *d, uint32_t sub)
{
    if (sub > d->max_vcpus)
        return 0;
    if (!sub) {
        hv_log(LOG_ERR, "General information for domain %u:", d->id);
        hv_log(LOG_ERR, "    refcnt=%u dying=%d pause_count=%d shutdown code %d", d->refs - 1, domain_dying(d),
               d->pause_count, d->shutdown_code);
        hv_log(LOG_ERR, "    nr_pages=%lu max_pages=%lu claimed %lu, dirty_cpus=%#lx vm_assist=%08x shared info frame %#lx",
               d->tot_pages, d->max_pages, d->claimed_pages, d->dirty_cpus, d->vm_assist, d->shared_mfn.n);
        hv_log(LOG_ERR, "    weight %u cap %u, %u ports, %u grants mapped", d->sched.weight, d->sched.cap, ports_in_use(d),
               d->grants ? grants_mapped(d) : 0);
    } else {
        struct vcpu *v = d->vcpu[clamp_index(sub - 1, d->max_vcpus)];

        if (v)
            show_vcpu(v);
    }
    return sub < d->max_vcpus && !domain_dying(d) ? sub + 1 : 0;
}

static uint32_t show_grants_of(struct domain *d, uint32_t sub)
{
    return d->grants ? grants_dump(d, sub) : 0;
}

static uint64_t show_domains(uint64_t at) { return each_domain(at, show_domain); }
static uint64_t show_ports(uint64_t at)   { return each_domain(at, ports_dump); }
static uint64_t show_grants(uint64_t at)  { return each_domain(at, show_grants_of); }

/* ---- The machine ---- */

static uint64_t show_memory(uint64_t at)
{
    hv_log(LOG_ERR, "memory: %lu MiB in all, %lu MiB free, %lu MiB claimed", frames_total_count() >> 8,
           frames_free_count() >> 8, reservation_claimed() >> 8);
    return 0;
}

/* ---- Nodes ---- */

#define NODES_PIECE (1u << 14) /* frames looked at in one go */

static uint64_t on_node[NUMA_NODES_MAX]; /* pages of the domain in progress; two reports at a time spoil each other's */

static void show_node(unsigned node)
{
    cpumask_t cpus = 0;

    for (unsigned i = 0; i < pcpu_count; i++)
        cpus |= (cpumask_t)(pcpus[i]->node == node) << i;
    hv_log(LOG_ERR, "NODE%u: %lu pages, %lu free, CPUs %#lx", node, frames_total_on(node), frames_free_on(node), cpus);
}

/* Adds those of the frames of one piece that are d's own. Others may give and take them meanwhile. */
static void count_pages(const struct domain *d, uint64_t first)
{
    for (uint64_t m = first; m < first + NODES_PIECE && m < frame_count; m++) {
        const struct frame *f = &frame_table[m];

        if ((f->refs & REFS_OWNED) && __atomic_load_n(&f->owner, __ATOMIC_RELAXED) == d->id)
            on_node[numa_node_of(mfn(m))]++;
    }
}

/* Looks through all of memory for d's pages, a piece at a time, then says how many there were. */
static uint32_t show_pages(struct domain *d, uint32_t piece)
{
    if (!piece)
        memset(on_node, 0, sizeof(on_node));
    count_pages(d, (uint64_t)piece * NODES_PIECE);
    if ((piece + 1ull) * NODES_PIECE < frame_count)
        return piece + 1;
    hv_log(LOG_ERR, "Domain %u (total: %lu), memory first from nodes %#x:", d->id, d->tot_pages, node_affinity(d));
    for (unsigned i = 0; i < numa.nodes; i++)
        hv_log(LOG_ERR, "    Node %u: %lu", i, on_node[i]);
    return 0;
}

static uint64_t show_nodes(uint64_t at)
{
    for (unsigned i = 0; i < numa.nodes && !at; i++)
        show_node(i);
    return each_domain(at, show_pages);
}

static uint64_t audit(uint64_t at)
{
    audit_show();
    return 0;
}

static uint64_t reboot(uint64_t at)
{
    hv_log(LOG_ERR, "Reboot by debug key");
    machine_end(MACHINE_REBOOT);
}

/* ---- Counters ---- */

#define COUNTERS_PIECE 4u

/* An array: its sum, and those of its values that are not 0. */
static void show_group(unsigned group, unsigned first)
{
    uint32_t sum = 0;
    unsigned values;
    const char *name = perf_group(group, &values);

    for (unsigned i = 0; i < values; i++)
        sum += perf_value(first + i);
    hv_log(LOG_ERR, "%-40s %10u", name, sum);
    for (unsigned i = 0; i < values && values > 1; i++)
        if (perf_value(first + i))
            hv_log(LOG_ERR, "  [%2u] %10u", i, perf_value(first + i));
}

static uint64_t show_counters(uint64_t at)
{
    unsigned first = 0, values;

    for (unsigned i = 0; i < perf_groups(); i++, first += values) {
        perf_group(i, &values);
        if (i >= at && i < at + COUNTERS_PIECE)
            show_group(i, first);
    }
    return at + COUNTERS_PIECE < perf_groups() ? at + COUNTERS_PIECE : 0;
}

static uint64_t reset_counters(uint64_t at)
{
    perf_reset();
    return 0;
}

static uint64_t show_locks(uint64_t at)
{
    enum lock_class class = (enum lock_class)clamp_index(at, LOCK_CLASSES);
    struct lock_use u;

    if (at >= LOCK_CLASSES)
        return 0;
    lock_use_get(class, &u);
    hv_log(LOG_ERR, "%-8s taken %12lu, held %12lu us; waited %10lu, for %12lu us", lock_class_name(class), u.taken,
           u.held_time / 1000, u.waited, u.waited_time / 1000);
    return at + 1 < LOCK_CLASSES ? at + 1 : 0;
}

static uint64_t reset_locks(uint64_t at)
{
    lock_use_reset();
    return 0;
}

void debug_keys_init(void)
{
    keys_init();
    key_register('q', "dump domain (and guest debug) info", true, show_domains);
    key_register('e', "dump evtchn info", true, show_ports);
    key_register('g', "print grant table usage", true, show_grants);
    key_register('m', "memory info", true, show_memory);
    key_register('u', "dump NUMA info", true, show_nodes);
    key_register('p', "print performance counters", true, show_counters);
    key_register('P', "reset performance counters", false, reset_counters);
    key_register('l', "print lock profile info", true, show_locks);
    key_register('L', "reset lock profile info", false, reset_locks);
    key_register('A', "count all references to frames again", false, audit);
    key_register('R', "reboot machine", false, reboot);
    debug_cpu_keys_init();
    trace_keys_init();
}
