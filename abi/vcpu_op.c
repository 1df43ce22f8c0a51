/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest asks about its vCPUs: <xen/vcpu.h>. The vCPU is the second argument, the structure the third.
 */
#include "abi/hypercall.h"
#include "core/cpumask.h"
#include "core/frame.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/vcpu_area.h"

#include <stdatomic.h>
#include <xen/sched.h>

#define PERIOD_MIN MS(1)
#define PERIOD_MAX SEC(3600)

/* The vCPU the call is about; do_vcpu_op has checked that it exists. */
static struct vcpu *subject(struct hypercall *hc)
{
    return hc->d->vcpu[clamp_index((uint32_t)hc->arg[1], MAX_VCPUS)];
}

/* ---- Life ---- */

static long initialise(struct hypercall *hc, void *arg)
{
    struct vcpu *v = subject(hc);
    struct vcpu_guest_context *c;
    long err;

    if (atomic_exchange(&v->initialising, true))
        return refuse(hc->v, -EBUSY, "vCPU %u is being initialised", v->id);
    err = v->initialised ? -EEXIST : 0;
    c = err ? NULL : hv_alloc(sizeof(*c));
    if (!err && !c)
        err = -ENOMEM;
    if (!err)
        err = guest_read(c, gptr(hc->arg[2]), sizeof(*c));
    if (!err)
        err = vcpu_set_context(v, c);
    if (c)
        hv_free(c, sizeof(*c));
    atomic_store(&v->initialising, false);
    return err && err != -ERESTART ? refuse(hc->v, err, "initialise vCPU %u", v->id) : err;
}

static long up(struct hypercall *hc, void *arg)
{
    struct vcpu *v = subject(hc);

    if (!v->initialised)
        return refuse(hc->v, -EINVAL, "vCPU %u up without a context", v->id);
    vcpu_pause_clear(v, PAUSE_DOWN);
    return 0;
}

/* The last one that goes down could never come up again: the domain is off. */
static long down(struct hypercall *hc, void *arg)
{
    struct domain *d = hc->d;

    vcpu_pause_set(subject(hc), PAUSE_DOWN);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] && !(atomic_load(&d->vcpu[i]->pause) & PAUSE_DOWN))
            return 0;
    domain_shutdown(d, SHUTDOWN_poweroff);
    return 0;
}

static long is_up(struct hypercall *hc, void *arg)
{
    return !(atomic_load(&subject(hc)->pause) & PAUSE_DOWN);
}

static long send_nmi(struct hypercall *hc, void *arg)
{
    struct vcpu *v = subject(hc);

    if (!atomic_exchange(&v->nmi_pending, true))
        vcpu_kick(v);
    return 0;
}

static long get_physid(struct hypercall *hc, void *arg)
{
    struct vcpu_get_physid *a = arg;
    struct vcpu *v = subject(hc);
    cpumask_t hard = sched_cpus(v);
    const struct pcpu *c;

    if (cpumask_weight(hard) != 1)
        return refuse(hc->v, -EINVAL, "vCPU %u is not pinned", v->id);
    c = pcpus[cpumask_first(hard)];
    a->phys_id = c->apic_id | (uint64_t)c->acpi_id << 32;
    return 0;
}

/* ---- Shared memory ---- */

static long get_runstate_info(struct hypercall *hc, void *arg)
{
    sched_runstate(subject(hc), arg);
    return 0;
}

static long register_runstate(struct hypercall *hc, void *arg)
{
    const struct vcpu_register_runstate_memory_area *a = arg;
    struct vcpu *v = subject(hc);
    int err = vcpu_area_set(v, &v->runstate_area, a->addr.p, sizeof(struct vcpu_runstate_info));

    if (err)
        return refuse(hc->v, err, "runstate area of vCPU %u at %#lx", v->id, a->addr.p);
    sched_update_runstate_area(v);
    return 0;
}

static long register_time(struct hypercall *hc, void *arg)
{
    const struct vcpu_register_time_memory_area *a = arg;
    struct vcpu *v = subject(hc);
    int err = vcpu_area_set(v, &v->time_area, a->addr.p, sizeof(struct vcpu_time_info));

    if (err)
        return refuse(hc->v, err, "time area of vCPU %u at %#lx", v->id, a->addr.p);
    time_update_vcpu(v);
    return 0;
}

static long register_info(struct hypercall *hc, void *arg)
{
    const struct vcpu_register_vcpu_info *a = arg;
    struct vcpu *v = subject(hc);
    int err;

    if (v != hc->v && !(atomic_load(&v->pause) & PAUSE_DOWN))
        return refuse(hc->v, -EINVAL, "vcpu_info of vCPU %u, which is up", v->id);
    err = vcpu_info_register(v, mfn(a->mfn), a->offset);
    if (err == -ERESTART)
        return err;
    if (err)
        return refuse(hc->v, err, "vcpu_info of vCPU %u at frame %#lx+%#x", v->id, a->mfn, a->offset);
    time_update_vcpu(v);
    return 0;
}

/* ---- Timers ---- */

static long set_periodic(struct hypercall *hc, void *arg)
{
    const struct vcpu_set_periodic_timer *a = arg;
    struct vcpu *v = subject(hc);

    if (a->period_ns < PERIOD_MIN || a->period_ns > PERIOD_MAX)
        return refuse(hc->v, -EINVAL, "timer period %lu ns", a->period_ns);
    vcpu_set_periodic(v, a->period_ns);
    return 0;
}

static long stop_periodic(struct hypercall *hc, void *arg)
{
    vcpu_set_periodic(subject(hc), 0);
    return 0;
}

/* A time that has passed is no error, unless the caller says so: the timer fires at once. */
static long set_singleshot(struct hypercall *hc, void *arg)
{
    const struct vcpu_set_singleshot_timer *a = arg;
    struct vcpu *v = subject(hc);

    if (v != hc->v)
        return refuse(hc->v, -EINVAL, "singleshot timer of vCPU %u, not its own", v->id);
    if (a->flags & VCPU_SSHOTTMR_future && a->timeout_abs_ns < now_ns())
        return -ETIME;
    timer_set_here(&v->singleshot, a->timeout_abs_ns);
    return 0;
}

static long stop_singleshot(struct hypercall *hc, void *arg)
{
    struct vcpu *v = subject(hc);

    if (v != hc->v)
        return refuse(hc->v, -EINVAL, "singleshot timer of vCPU %u, not its own", v->id);
    timer_stop(&v->singleshot);
    return 0;
}

static const struct subop rows[] = {
#define ROW  SUBOP_ROW
#define ROW0 SUBOP_ROW0
#include "abi/table/vcpu_op.def"
#undef ROW
#undef ROW0
};

/* What guests do all the time, as its row says, but not by way of it. */
static __attribute__((noinline)) long set_singleshot_at(struct hypercall *hc, guest_ptr_t arg)
{
    struct vcpu_set_singleshot_timer a;

    return guest_read(&a, arg, sizeof(a)) ? -EFAULT : set_singleshot(hc, &a);
}

long do_vcpu_op(struct hypercall *hc)
{
    /* Guests count their vCPUs by this answer: no message about it. */
    if ((uint32_t)hc->arg[1] >= hc->d->max_vcpus || !subject(hc))
        return -ENOENT;
    if ((uint32_t)hc->arg[0] == VCPUOP_set_singleshot_timer)
        return set_singleshot_at(hc, gptr(hc->arg[2]));
    return subop_run(hc, rows, ARRAY_SIZE(rows), (uint32_t)hc->arg[0], gptr(hc->arg[2]));
}
