/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event channels of the micro guest: where vcpu_info is, the upcall, short forms of the operations, the
 * clock.
 */

#include "event.h"

#include <xen/sched.h>

#include "mm.h"
#include "trap.h"

struct shared_info *shared_info;
unsigned int upcalls, port_count[MAX_PORTS];
struct regs upcall_regs;
void (*event_scan)(void);

static char shared_page[PAGE_SIZE] __attribute__((aligned(4096)));
static struct vcpu_info dummy = { .evtchn_upcall_mask = 1 };
static struct vcpu_info *info = &dummy;

struct vcpu_info *vcpu_info(void)
{
    return info;
}

void vcpu_info_move(struct vcpu_info *to)
{
    info = to;
}

void event_init(void)
{
    long rc = update_va(shared_page, start_info->shared_info | PTE_FLAGS, UVMF_INVLPG);

    if (rc) {
        print("# event_init: shared_info cannot be mapped: %ld\n", rc);
        return;
    }
    shared_info = (struct shared_info *)shared_page;
    info = &shared_info->vcpu_info[0];
    if (!is_dom0())
        port_mask(start_info->console.domU.evtchn);     /* its reader's news would disturb the tests */
}

static void scan_bitmaps(void)
{
    unsigned long selector = __atomic_exchange_n(&info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    unsigned int word, bit;

    for (word = 0; word < 64; word++) {
        if (!(selector & (1UL << word)))
            continue;
        for (bit = 0; bit < 64; bit++) {
            unsigned long mask = 1UL << bit;

            if (!(shared_info->evtchn_pending[word] & ~shared_info->evtchn_mask[word] & mask))
                continue;
            __atomic_and_fetch(&shared_info->evtchn_pending[word], ~mask, __ATOMIC_SEQ_CST);
            port_count[word * 64 + bit]++;
        }
    }
}

void event_upcall(struct regs *regs)
{
    upcalls++;
    upcall_regs = *regs;
    while (__atomic_exchange_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST))
        event_scan ? event_scan() : scan_bitmaps();
}

void events_on(void)
{
    *(volatile uint8_t *)&info->evtchn_upcall_mask = 0;
    __asm__ volatile("" ::: "memory");
    if (*(volatile uint8_t *)&info->evtchn_upcall_pending)
        hypercall(__HYPERVISOR_xen_version, 0, 0);      /* any hypercall delivers what is pending */
}

void events_off(void)
{
    *(volatile uint8_t *)&info->evtchn_upcall_mask = 1;
    __asm__ volatile("" ::: "memory");
}

bool port_pending(evtchn_port_t port)
{
    return *(volatile unsigned long *)&shared_info->evtchn_pending[port / 64] & (1UL << port % 64);
}

bool port_masked(evtchn_port_t port)
{
    return *(volatile unsigned long *)&shared_info->evtchn_mask[port / 64] & (1UL << port % 64);
}

void port_mask(evtchn_port_t port)
{
    __atomic_or_fetch(&shared_info->evtchn_mask[port / 64], 1UL << port % 64, __ATOMIC_SEQ_CST);
}

void port_clear(evtchn_port_t port)
{
    __atomic_and_fetch(&shared_info->evtchn_pending[port / 64], ~(1UL << port % 64), __ATOMIC_SEQ_CST);
}

long port_unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = { .port = port };

    return evtchn(EVTCHNOP_unmask, &op);
}

long port_close(evtchn_port_t port)
{
    struct evtchn_close op = { .port = port };

    return evtchn(EVTCHNOP_close, &op);
}

long port_send(evtchn_port_t port)
{
    struct evtchn_send op = { .port = port };

    return evtchn(EVTCHNOP_send, &op);
}

long port_alloc(domid_t dom, domid_t remote)
{
    struct evtchn_alloc_unbound op = { .dom = dom, .remote_dom = remote };

    return evtchn(EVTCHNOP_alloc_unbound, &op) ?: (long)op.port;
}

long port_bind(domid_t remote, evtchn_port_t remote_port)
{
    struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = remote_port };

    return evtchn(EVTCHNOP_bind_interdomain, &op) ?: (long)op.local_port;
}

long port_bind_virq(unsigned int virq, unsigned int vcpu)
{
    struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };

    return evtchn(EVTCHNOP_bind_virq, &op) ?: (long)op.port;
}

long port_bind_ipi(unsigned int vcpu)
{
    struct evtchn_bind_ipi op = { .vcpu = vcpu };

    return evtchn(EVTCHNOP_bind_ipi, &op) ?: (long)op.port;
}

uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

uint64_t now(void)
{
    volatile struct vcpu_time_info *t = &info->time;
    uint64_t ns, delta;
    uint32_t version;

    do {
        version = t->version;
        __asm__ volatile("lfence" ::: "memory");
        delta = rdtsc() - t->tsc_timestamp;
        delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
        ns = t->system_time + (uint64_t)(((unsigned __int128)delta * t->tsc_to_system_mul) >> 32);
        __asm__ volatile("lfence" ::: "memory");
    } while ((version & 1) || version != t->version);
    return ns;
}

bool wait_count(volatile unsigned int *count, unsigned int want, unsigned int ms)
{
    uint64_t end = now() + ms * 1000000ULL;

    while (*count < want && now() < end)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    return *count >= want;
}

void let_others_run(void)
{
    struct sched_poll pause = { .timeout = now() + 1000000 };

    hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &pause);
}
