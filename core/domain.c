/* SPDX-License-Identifier: BSD-2-Clause */
/* Domains: the list of them, creation, pausing, ends, and the account that keeps one alive while anybody holds its frames. */
#include "core/domain.h"

#include "core/dirty.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/irqs.h"
#include "core/log.h"
#include "core/m2p.h"
#include "core/node_affinity.h"
#include "core/pcpu.h"
#include "core/pool.h"
#include "core/port.h"
#include "core/reservation.h"
#include "core/rights.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/trace.h"
#include "core/vcpu.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "x86/model/cpuid.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <xen/sched.h>

#define DEFAULT_PORTS 1024u
#define DEFAULT_GRANT_FRAMES 64u
#define DEFAULT_MAPTRACK_FRAMES 1024u

struct domain *dom0;
struct domain dom_xen = { .id = DOMID_XEN, .refs = 1, .lock = LOCK_INIT(DOMAIN) };
struct domain dom_io = { .id = DOMID_IO, .refs = 1, .lock = LOCK_INIT(DOMAIN) };

static struct lock list_lock = LOCK_INIT(DOMLIST);
static struct list_head domains = LIST_HEAD_INIT(domains);         /* ascending id */
static struct domain *by_id[DOMID_FIRST_RESERVED]; /* the same, for look-up without a search; valid while a reference is held */
static domid_t next_id;

/* ---- Finding ---- */

void domain_ref(struct domain *d)
{
    atomic_fetch_add(&d->refs, 1);
}

/* A listed domain has its list reference; one that lost it is on its way out. */
static bool ref_if_alive(struct domain *d)
{
    uint32_t x = d->refs;

    while (x) {
        if (atomic_compare_exchange_weak(&d->refs, &x, x + 1))
            return true;
    }
    return false;
}

struct domain *domain_get(domid_t id)
{
    struct domain *d;

    if (id >= DOMID_FIRST_RESERVED)
        return NULL;
    lock(&list_lock);
    d = by_id[id];
    if (d && !ref_if_alive(d))
        d = NULL;
    unlock(&list_lock);
    return d;
}

struct domain *domain_get_next(domid_t from)
{
    struct domain *d, *found = NULL;

    lock(&list_lock);
    list_for_each_entry(d, &domains, link) {
        if (d->id >= from && ref_if_alive(d)) {
            found = d;
            break;
        }
    }
    unlock(&list_lock);
    return found;
}

struct domain *domain_target(struct domain *caller, domid_t id, int *err)
{
    struct domain *d;

    if (id == DOMID_SELF || id == caller->id) {
        domain_ref(caller);
        return caller;
    }
    d = domain_get(id);
    if (!d) {
        *err = -ESRCH;
    } else if (!domain_may(caller, PRIV_CONTROL)) {
        domain_put(d);
        d = NULL;
        *err = -EPERM;
    }
    return d;
}

struct domain *domain_of_frame(domid_t owner)
{
    if (owner == DOMID_XEN)
        return &dom_xen;
    if (owner == DOMID_IO)
        return &dom_io;
    return by_id[owner];
}

/* ---- Frames keep their owner ---- */

void domain_frame_added(struct domain *d)
{
    if (d->tot_pages++ == 0)
        domain_ref(d);
}

void domain_frame_gone(domid_t owner, bool hv)
{
    struct domain *d = domain_of_frame(owner);

    if (d == &dom_xen)
        return;
    if (hv || --d->tot_pages == 0)
        domain_put(d);
}

/* ---- The end of one ---- */

static void free_vcpus(struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (v)
            vcpu_free(v);
    }
}

/* The last reference went: nothing of it is in use anywhere. */
static void domain_free(struct domain *d)
{
    unsigned mapped = grants_mapped(d), ports = ports_in_use(d);
    bool leaks;

    lock(&list_lock);
    list_del(&d->link);
    by_id[d->id] = NULL;
    unlock(&list_lock);
    leaks = mapped || ports || d->tot_pages || d->page_list || d->claimed_pages;
    leaks |= dirty_free(d);
    hv_log(leaks ? LOG_ERR : LOG_INFO, "d%u is gone, leaving %u grants mapped, %u ports, %lu pages, %lu claimed%s", d->id,
           mapped, ports, d->tot_pages, d->claimed_pages, leaks ? ": LEAK" : "");
    pool_leave(d);
    free_vcpus(d);
    ports_free(d);
    if (d->grants)
        grants_free(d);
    if (d->e820)
        hv_free(d->e820, MAX(d->e820_count, 1u) * sizeof(*d->e820));
    rights_free(d);
    hv_free(d->policy, sizeof(*d->policy));
    hv_free(d, sizeof(*d));
    virq_raise_global(VIRQ_DOM_EXC);
}

void domain_put(struct domain *d)
{
    if (atomic_fetch_sub(&d->refs, 1) == 1)
        domain_free(d);
}

/* ---- Creation ---- */

static bool choose_id(const struct domain_config *cfg, domid_t *id)
{
    if (cfg->id < DOMID_FIRST_RESERVED && (cfg->id || !dom0)) {
        *id = cfg->id;
        return !by_id[cfg->id];
    }
    for (unsigned tries = 0; tries < DOMID_FIRST_RESERVED; tries++) {
        next_id = (domid_t)(next_id + 1u >= DOMID_FIRST_RESERVED ? 1 : next_id + 1);
        if (!by_id[next_id]) {
            *id = next_id;
            return true;
        }
    }
    return false;
}

/* Publishes d: in the list by id. */
static void enlist(struct domain *d)
{
    struct domain *at;
    struct list_head *before = &domains;

    list_for_each_entry(at, &domains, link) {
        if (at->id > d->id) {
            before = &at->link;
            break;
        }
    }
    list_add_tail(&d->link, before);
    by_id[d->id] = d;
}

/* What others may use as soon as they find the domain, which is before it is complete. 0 or -ENOMEM. */
static int alloc_parts(struct domain *d, const struct domain_config *cfg)
{
    d->shared = hv_pages(0);
    d->policy = hv_alloc(sizeof(*d->policy));
    if (!d->shared || !d->policy)
        return -ENOMEM;
    d->shared_mfn = machine_frame_mfn(d->shared);
    return ports_init(d, cfg->max_ports == ~0u ? DEFAULT_PORTS : cfg->max_ports);
}

static void free_unborn(struct domain *d)
{
    ports_free(d);
    hv_pages_free(d->shared, 0);
    hv_free(d->policy, sizeof(*d->policy));
    hv_free(d, sizeof(*d));
}

static int init_grants(struct domain *d, const struct domain_config *cfg)
{
    if (!cfg->max_grant_version)
        return 0;
    return grants_init(d, cfg->max_grant_frames == ~0u ? DEFAULT_GRANT_FRAMES : cfg->max_grant_frames,
                       cfg->max_maptrack_frames == ~0u ? DEFAULT_MAPTRACK_FRAMES : cfg->max_maptrack_frames,
                       cfg->max_grant_version);
}

int domain_create(const struct domain_config *cfg, struct domain **out)
{
    struct domain *d;
    int rc;

    if (cfg->max_vcpus < 1 || cfg->max_vcpus > MAX_VCPUS)
        return -EINVAL;
    d = hv_alloc(sizeof(*d));
    if (!d)
        return -ENOMEM;
    lock_init(&d->lock, LOCK_DOMAIN);
    lock_init(&d->pause_lock, LOCK_PAUSE);
    d->refs = 1;
    d->privileges = cfg->privileges;
    d->ssidref = cfg->ssidref;
    memcpy(d->handle, cfg->handle, sizeof(d->handle));
    d->max_vcpus = cfg->max_vcpus;
    d->shutdown_code = -1;
    d->pause_count = d->ctl_pause_count = 1;
    d->pirq_eoi_mfn = MFN_NONE;
    d->nodes = NODES_ALL;
    d->sched = (struct domain_sched){ .weight = 256 };
    rc = alloc_parts(d, cfg);
    if (rc) {
        free_unborn(d);
        return rc;
    }

    lock(&list_lock);
    if (!choose_id(cfg, &d->id)) {
        unlock(&list_lock);
        free_unborn(d);
        return -EEXIST;
    }
    pool_join(d, cfg->pool);
    enlist(d);
    unlock(&list_lock);
    trace1(TRC_SCHED_DOM_ADD, d->id);
    trace1(TRC_DOM0_DOM_ADD, d->id);

    frame_share(d, d->shared_mfn);
    rc = init_grants(d, cfg);
    if (rc) {
        d->life = DOMAIN_DYING;
        while (domain_kill(d) == -ERESTART)
            machine_relax();
        return rc;
    }
    *out = d;
    return 0;
}

int domain_alloc_vcpus(struct domain *d, unsigned n)
{
    if (n != d->max_vcpus)
        return -EINVAL;
    for (unsigned i = 0; i < n; i++) {
        if (!d->vcpu[i]) {
            int rc = vcpu_create(d, i);

            if (rc)
                return rc; /* those that exist stay until the domain goes */
        }
    }
    node_affinity_update(d);
    return 0;
}

/* ---- Pausing ---- */

/* Locked: a guest that shuts down while a tool lets go would else lose the pause it has just got, and still be counted paused. */
static void pause_locked(struct domain *d)
{
    if (atomic_fetch_add(&d->pause_count, 1) == 0) {
        for (unsigned i = 0; i < d->max_vcpus; i++) {
            if (d->vcpu[i])
                vcpu_pause_set(d->vcpu[i], PAUSE_DOMAIN);
        }
    }
}

static void unpause_locked(struct domain *d)
{
    if (atomic_fetch_sub(&d->pause_count, 1) == 1) {
        for (unsigned i = 0; i < d->max_vcpus; i++) {
            if (d->vcpu[i])
                vcpu_pause_clear(d->vcpu[i], PAUSE_DOMAIN);
        }
    }
}

void domain_pause_nosync(struct domain *d)
{
    lock(&d->pause_lock);
    pause_locked(d);
    unlock(&d->pause_lock);
}

void domain_pause(struct domain *d)
{
    domain_pause_nosync(d);
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] && d->vcpu[i] != current_vcpu())
            vcpu_sync(d->vcpu[i]);
    }
}

void domain_unpause(struct domain *d)
{
    lock(&d->pause_lock);
    unpause_locked(d);
    unlock(&d->pause_lock);
}

/* ---- Ends ---- */

static _Noreturn void dom0_ends(int code)
{
    static const char *const why[] = { "powered off", "rebooted", "suspended", "crashed", "was stopped by its watchdog" };

    hv_log(code == SHUTDOWN_crash || code == SHUTDOWN_watchdog ? LOG_ERR : LOG_INFO, "dom0 %s: %s",
           (unsigned)code < ARRAY_SIZE(why) ? why[code] : "ended",
           code == SHUTDOWN_poweroff ? "the machine powers off" : "the machine reboots");
    if (code == SHUTDOWN_crash && current_vcpu())
        vcpu_report(current_vcpu());
    if (code == SHUTDOWN_poweroff)
        machine_end(MACHINE_OFF);
    machine_end(code == SHUTDOWN_crash || code == SHUTDOWN_watchdog ? MACHINE_CRASHED : MACHINE_REBOOT);
}

/* The code and its pause come together, so that who takes the code back takes no other's pause. False: it has shut down. */
static bool take_code(struct domain *d, int code)
{
    bool first;

    lock(&d->pause_lock);
    first = d->shutdown_code == -1;
    if (first) {
        d->shutdown_code = code;
        pause_locked(d);
    }
    unlock(&d->pause_lock);
    return first;
}

void domain_shutdown(struct domain *d, int code)
{
    evtchn_port_t port;

    if (d == dom0)
        dom0_ends(code);
    if (!take_code(d, code))
        return;
    trace(TRC_SCHED_SHUTDOWN, 3, TRACE_PAIR(d->id, 0), (uint32_t)code, 0, 0);
    hv_log(LOG_INFO, "d%u shut down, code %d", d->id, code);
    virq_raise_global(VIRQ_DOM_EXC);
    port = d->suspend_port;
    if (port && code == SHUTDOWN_suspend)
        (void)port_send(d, port);
}

void domain_resume(struct domain *d)
{
    lock(&d->pause_lock);
    if (d->shutdown_code != -1) {
        d->shutdown_code = -1;
        unpause_locked(d);
    }
    unlock(&d->pause_lock);
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
    char text[160];
    va_list ap;

    va_start(ap, fmt);
    kvsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (!atomic_exchange(&d->crashed, true)) {
        hv_log(LOG_ERR, "d%u crashed: %s", d->id, text);
        if (current_vcpu() && current_vcpu()->domain == d)
            vcpu_report(current_vcpu());
    }
    domain_shutdown(d, SHUTDOWN_crash);
}

/* ---- Hardware access ---- */

bool domain_may_port(const struct domain *d, unsigned port, unsigned bytes)
{
    return (d->all_io || rights_has(d, RIGHTS_PORTS, port, bytes)) && !machine_keeps_port(port, bytes);
}

bool domain_may_mmio(const struct domain *d, mfn_t m, uint64_t n)
{
    return (d->all_io || rights_has(d, RIGHTS_MMIO, m.n, n)) && !machine_keeps_mmio(m, n);
}
