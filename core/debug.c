/* SPDX-License-Identifier: BSD-2-Clause */
/* Debug keys: each walks what there is and says how it is, one line an item, with the letters that Xen's users know. */
#include "core/debug.h"

#include "core/audit.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/keys.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/port.h"
#include "core/reservation.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/vcpu.h"

static void each_domain(void (*show)(struct domain *d))
{
    struct domain *d;
    domid_t from = 0;

    while ((d = domain_get_next(from)) != NULL) {
        from = (domid_t)(d->id + 1);
        show(d);
        domain_put(d);
    }
}

static void show_vcpu(const struct vcpu *v)
{
    hv_log(LOG_ERR, "    vCPU%u: CPU %u%s, paused %#x, %s mode, upcall pending %u mask %u, rip %#lx, hypercalls %lu", v->id,
           v->cpu, v->running_on >= 0 ? " (running)" : "", v->pause, v->kernel_mode ? "kernel" : "user",
           v->info->evtchn_upcall_pending, v->info->evtchn_upcall_mask, v->saved.rip, v->hypercalls);
}

static void show_domain(struct domain *d)
{
    hv_log(LOG_ERR, "d%u: %u references, paused %d, shutdown code %d%s, pages %lu of %lu, shared info frame %#lx", d->id,
           d->refs - 1, d->pause_count, d->shutdown_code, domain_dying(d) ? ", dying" : "", d->tot_pages, d->max_pages,
           d->shared_mfn.n);
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i])
            show_vcpu(d->vcpu[i]);
    }
}

static void show_domains(void) { each_domain(show_domain); }
static void show_ports(void)   { each_domain(ports_dump); }

static void show_grants_of(struct domain *d)
{
    if (d->grants)
        grants_dump(d);
}

static void show_grants(void) { each_domain(show_grants_of); }

static void show_memory(void)
{
    hv_log(LOG_ERR, "memory: %lu MiB in all, %lu MiB free, %lu MiB claimed", frames_total_count() >> 8,
           frames_free_count() >> 8, reservation_claimed() >> 8);
}

static void show_time(void)
{
    hv_log(LOG_ERR, "time: %lu ns since boot, TSC %lu kHz, %s", now_ns(), time_tsc_khz(),
           time_stable() ? "stable" : "not known to be stable");
}

static void show_run_queues(void)
{
    for (unsigned i = 0; i < pcpu_count; i++) {
        const struct vcpu *v = pcpus[i]->current;

        if (v)
            hv_log(LOG_ERR, "CPU %u: d%uv%u", i, v->domain->id, v->id);
        else
            hv_log(LOG_ERR, "CPU %u: idle", i);
    }
}

static void reboot(void)
{
    hv_log(LOG_ERR, "Reboot by debug key");
    machine_end(MACHINE_REBOOT);
}

void debug_keys_init(void)
{
    key_register('q', "domains and their vCPUs", show_domains);
    key_register('r', "what runs on each CPU", show_run_queues);
    key_register('e', "event channel ports", show_ports);
    key_register('g', "grant tables", show_grants);
    key_register('m', "memory", show_memory);
    key_register('t', "time", show_time);
    key_register('A', "count all references to frames again", audit_show);
    key_register('R', "reboot the machine", reboot);
}
