/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The death of a domain, step by step. Each step is budgeted and can be called again; what it did is not repeated, as each
 * works off what is still there. Frames that others map stay, counted in tot_pages, and keep the domain until they go.
 */
#include "core/budget.h"
#include "core/dirty.h"
#include "core/domain.h"
#include "core/flush.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/irqs.h"
#include "core/log.h"
#include "core/pool.h"
#include "core/port.h"
#include "core/reservation.h"
#include "core/trace.h"
#include "core/vcpu_area.h"
#include "core/watchdog.h"
#include "lib/errno.h"

#include <stdatomic.h>

#include <xen/xen.h>

static int stop_vcpus(struct domain *d)
{
    domain_pause(d);
    pool_retire(d);
    watchdogs_kill(d);
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i])
            vcpu_run_fini(d->vcpu[i]);
    }
    virq_raise_global(VIRQ_DOM_EXC); /* those who hold its pages let go */
    return 0;
}

static int drop_log(struct domain *d)
{
    return dirty_stop(d) == -ERESTART ? -ERESTART : 0;
}

static int drop_ports(struct domain *d)
{
    return d->ports ? ports_kill(d) : 0;
}

static int drop_grants(struct domain *d)
{
    return d->grants ? grants_kill(d) : 0;
}

static int drop_irqs(struct domain *d)
{
    irqs_unmap_all(d);
    if (!mfn_same(d->pirq_eoi_mfn, MFN_NONE)) {
        frame_put_type(d->pirq_eoi_mfn);
        d->pirq_eoi_mfn = MFN_NONE;
    }
    return 0;
}

static int drop_vcpus(struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i])
            vcpu_let_go(d->vcpu[i]);
    }
    (void)reservation_claim(d, 0);
    return 0;
}

/* Every frame on the list: its pin and its allocation's reference. Tables are undone by this vCPU on its way out. */
static int drop_frames(struct domain *d)
{
    uint64_t some[FRAMES_AT_ONCE];
    int rc = 0;

    lock(&d->lock);
    while (d->page_list && rc == 0) {
        unsigned most = MIN(FRAMES_AT_ONCE, budget_left() / FRAME_FREE_UNITS + 1), n = 0, ours;

        for (uint32_t f = d->page_list; f && n < most; f = frame_table[f].next)
            some[n++] = f;
        ours = frames_release(d, some, n);
        ASSERT(ours == n);
        (void)ours;
        if (!budget_take(n))
            rc = -ERESTART;
    }
    unlock(&d->lock);
    return rc;
}

/* In this order; after them goes the page that both see, and the list's own reference. */
static int (*const steps[])(struct domain *d) = {
    stop_vcpus, drop_log, drop_ports, drop_grants, drop_irqs, drop_vcpus, drop_frames,
};

/* What a dead domain's shared info page is to those who come late: the clock's new time, an event. */
static struct shared_info gone;

/*
 * The page may be somebody else's once its last reference goes. A CPU that read the old pointer is through
 * with it when it has answered a flush.
 */
static void drop_shared(struct domain *d)
{
    atomic_store(&d->shared, &gone);
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i])
            atomic_store(&d->vcpu[i]->info, vcpu_info_home(d->vcpu[i]));
    }
    flush_tlbs(pcpu_online, FLUSH_PAGE, 0);
    frame_put_type(d->shared_mfn);
}

int domain_kill(struct domain *d)
{
    if (d->life == DOMAIN_DEAD)
        return 0;
    d->life = DOMAIN_DYING;
    while (d->relinquish_step < (int)ARRAY_SIZE(steps)) {
        int rc = steps[d->relinquish_step](d);

        if (rc)
            return rc;
        d->relinquish_step++;
    }
    d->life = DOMAIN_DEAD;
    trace1(TRC_SCHED_DOM_REM, d->id);
    trace1(TRC_DOM0_DOM_REM, d->id);
    drop_shared(d);
    domain_put(d);
    return 0;
}
