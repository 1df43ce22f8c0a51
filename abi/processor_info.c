/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XENPF_set_processor_pminfo: dom0's kernel, which alone can read them, tells what the firmware's tables say of a CPU. Idle states
 * (_CST) are taken, see core/idle.h; an upload is read once and checked as a whole before anything changes. States that are well
 * described but not for this CPU are left out.
 */
#include "abi/processor_info.h"

#include "core/idle.h"
#include "core/machine.h"
#include "core/pcpu.h"

#include <stdatomic.h>
#include <xen/platform.h>

#define UPLOAD_MAX     8u       /* states of one CPU, by the ABI */
#define LATENCY_MAX_US 1000000u

#define SPACE_PORT     1u       /* ACPI's address spaces */
#define SPACE_FIXED    0x7fu
/* Of a register in the fixed space: bit_offset and bit_width. */
#define CLASS_MWAIT    2u       /* less: it halts */
#define VENDOR_INTEL   1u

#define PDC_REVISION   1u
#define PDC_MWAIT      0x300u   /* C1, and C2 and C3, can be entered by MWAIT */

static bool port_is_good(const struct xen_power_register *r)
{
    return r->address && r->address <= UINT16_MAX && r->bit_width == 8 && r->bit_offset == 0 &&
           !machine_keeps_port((unsigned)r->address, 1);
}

/* -EINVAL: not a state by the ABI's and ACPI's rules, or by a port that dom0 may not have. */
static int read_state(const struct xen_processor_cx *cx, struct idle_state *s)
{
    const struct xen_power_register *r = &cx->reg;

    *s = (struct idle_state){ .type = cx->type, .latency_us = cx->latency };
    if (cx->type < 1 || cx->type > IDLE_TYPES || cx->latency > LATENCY_MAX_US)
        return -EINVAL;
    if (r->space_id == SPACE_PORT && cx->type > 1 && port_is_good(r)) {
        s->way = IDLE_PORT;
        s->at = (uint32_t)r->address;
        return 0;
    }
    if (r->space_id == SPACE_FIXED && r->bit_offset == CLASS_MWAIT && r->bit_width == VENDOR_INTEL && r->address <= 0xff) {
        s->way = IDLE_MWAIT;
        s->at = (uint32_t)r->address;
        return 0;
    }
    s->way = IDLE_HALT;
    return r->space_id == SPACE_FIXED && r->bit_offset < CLASS_MWAIT && cx->type == 1 ? 0 : -EINVAL;
}

static const struct pcpu *cpu_of(uint32_t acpi_id)
{
    for (unsigned i = 0; i < pcpu_count; i++)
        if (pcpus[i]->acpi_id == acpi_id)
            return pcpus[i];
    return NULL;
}

static long idle_states(struct hypercall *hc, uint32_t acpi_id, const struct xen_processor_power *p)
{
    const struct pcpu *c = cpu_of(acpi_id);
    struct idle_state states[UPLOAD_MAX];
    struct xen_processor_cx cx;
    uint32_t latency = 0;
    unsigned n = 0;

    _Static_assert(UPLOAD_MAX < IDLE_STATES - 1, "there is room for C0 and C1");
    if (!idle_is_used())
        return -ENOSYS;
    if (!c || !p->count || p->count > UPLOAD_MAX)
        return refuse(hc->v, -EINVAL, "%u idle states of the CPU with ACPI id %u", p->count, acpi_id);
    for (unsigned i = 0; i < p->count; i++) {
        const char *why_not;

        if (guest_read(&cx, gptr_plus(handle_ptr(p->states), i * sizeof(cx)), sizeof(cx)))
            return -EFAULT;
        if (read_state(&cx, &states[n]) || cx.latency < latency)
            return refuse(hc->v, -EINVAL, "idle state %u of CPU %u: C%u, %u us, register %#lx in space %u", i, c->id, cx.type,
                          cx.latency, cx.reg.address, cx.reg.space_id);
        latency = cx.latency;
        why_not = idle_cannot(machine_idle_means(), &states[n]);
        if (why_not)
            hv_log(LOG_INFO, "CPU %u: idle state %u (C%u) is not used: %s", c->id, i, cx.type, why_not);
        else
            n++;
    }
    idle_set(c->id, states, n);
    hv_log(LOG_INFO, "CPU %u: %u idle states", c->id, n);
    return 0;
}

/*
 * Before it evaluates _PDC, which tells the firmware what the operating system can do, dom0 asks what we can: words of revision,
 * count, and capabilities. The answer goes into the first of these.
 */
static long capabilities(struct hypercall *hc, guest_ptr_t at)
{
    const struct idle_means *m = machine_idle_means();
    uint32_t pdc[3];

    if (guest_read(pdc, at, sizeof(pdc)))
        return -EFAULT;
    if (pdc[0] != PDC_REVISION || !pdc[1])
        return refuse(hc->v, -EINVAL, "processor capabilities of revision %u, %u words", pdc[0], pdc[1]);
    pdc[2] &= ~PDC_MWAIT;
    if (idle_is_used() && m->mwait && m->substates >> 4)
        pdc[2] |= PDC_MWAIT;
    return guest_write(gptr_plus(at, 2 * sizeof(pdc[0])), &pdc[2], sizeof(pdc[2]));
}

/* dom0's kernel tells of each CPU's refusal, we of the first. */
static long not_used(void)
{
    static _Atomic bool told;

    if (!atomic_exchange(&told, true))
        hv_log(LOG_WARN, "dom0's tables of performance states are not used: the firmware chooses how fast CPUs run");
    return -ENOSYS;
}

long platform_pminfo(struct hypercall *hc, void *arg)
{
    const struct xenpf_set_processor_pminfo *p = &((const struct xen_platform_op *)arg)->u.set_pminfo;

    switch (p->type) {
    case XEN_PM_CX:
        return idle_states(hc, p->id, &p->u.power);
    case XEN_PM_PDC:
        return capabilities(hc, handle_ptr(p->u.pdc));
    case XEN_PM_PX:
    case XEN_PM_TX:
        return not_used();
    default:
        return refuse(hc->v, -EINVAL, "processor information of type %u", p->type);
    }
}
