/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A domain: a guest, its memory, its vCPUs, and everything that belongs to it.
 *
 * Life: ALIVE -> DYING (domain_kill began; no new references, no new resources) -> gone when the last reference drops.
 * Each resource counts itself here or in its own part; at the end each count must be zero (domain_free checks).
 *
 * Who may touch a field:
 *   [I] set before the domain is published   [d] under d->lock   [a] atomic, any CPU   [c] under the DOMCTL lock
 */
#ifndef CORE_DOMAIN_H
#define CORE_DOMAIN_H

#include "core/ids.h"
#include "core/lock.h"
#include "core/numa.h"
#include "core/timer.h"
#include "lib/list.h"

#include <xen/xen.h>

struct vcpu;
struct ports;       /* core/port.h  */
struct grant_table; /* core/grant.h */
struct cpu_policy;  /* x86/model/cpuid.h */
struct dirty;       /* core/dirty.h */

/* What a domain may ask for beyond its own affairs. Privileges are held one by one so that they can be split. */
enum privilege {
    PRIV_NONE,     /* anyone                                                             */
    PRIV_CONTROL,  /* create, change, destroy other domains: domctl, foreign memory      */
    PRIV_SYSTEM,   /* the machine's settings and state: sysctl, platform, host log       */
    PRIV_HARDWARE, /* devices: ports, MMIO, interrupts, PCI                              */
    PRIV_CONSOLE,  /* the machine's console                                              */
};
#define PRIV_BIT(p) (1u << (p))
#define PRIV_ALL    0x1eu

enum domain_life { DOMAIN_ALIVE, DOMAIN_DYING, DOMAIN_DEAD };

struct domain_config {
    domid_t id;              /* 0x7ff0 and above, or 0 when dom0 exists: choose one */
    uint32_t ssidref;        /* opaque to us; echoed */
    uint8_t handle[16];
    unsigned max_vcpus;      /* 1..MAX_VCPUS */
    unsigned max_ports;      /* event channel ports, ~0u: the default */
    unsigned max_grant_frames, max_maptrack_frames;
    unsigned max_grant_version; /* 0: no grant table */
    uint32_t privileges;     /* PRIV_BIT()s */
    unsigned pool;           /* of CPUs; the caller has seen that it is usable (core/pool.h) */
};

struct domain {
    domid_t id;                  /* [I] */
    uint32_t privileges;         /* [I] */
    uint8_t handle[16];          /* [c] */
    uint32_t ssidref;            /* [I] */
    _Atomic uint32_t refs;       /* [a] each holder of a pointer across a possible death */
    _Atomic int life;            /* [a] enum domain_life, only forward */
    struct list_head link;       /* DOMLIST lock: ascending id */

    struct lock lock;            /* class DOMAIN: memory and life */

    /* Memory */
    uint32_t page_list;          /* [d] head: frame number, linked through struct frame */
    _Atomic uint64_t tot_pages;  /* [a] frames owned and counted; raised under [d] */
    uint64_t max_pages;          /* [d] */
    uint64_t claimed_pages;      /* [d] outstanding claim */
    _Atomic nodemask_t nodes;    /* [a] whose frames it is given first: core/node_affinity.c */
    nodemask_t nodes_asked;      /* [c], read without a lock: what the tools want that to be; 0: they leave it to its vCPUs */
    _Atomic cpumask_t dirty_cpus;/* [a] CPUs that may hold translations of this domain */
    uint64_t max_pfn;            /* [d] highest pfn populated, for XENMEM_maximum_gpfn of a domain not yet running */
    struct e820entry *e820;      /* [d] what XENMEM_memory_map answers; NULL: nothing set */
    unsigned e820_count;
    struct dirty *_Atomic dirty; /* [a] NULL until its writes are first logged, then to the end */
    uint32_t relinquish_at;      /* [c] cursor of domain_kill */
    int relinquish_step;         /* [c] */

    /* vCPUs */
    unsigned max_vcpus;          /* [I] */
    struct vcpu *vcpu[MAX_VCPUS];/* [I] NULL until XEN_DOMCTL_max_vcpus */
    struct lock pause_lock;      /* class PAUSE: pause_count is not 0, and so each vCPU has PAUSE_DOMAIN; or neither */
    _Atomic int pause_count;     /* [a] by tools and by the hypervisor itself; created at 1; changed under pause_lock */
    int ctl_pause_count;         /* [c] of which by XEN_DOMCTL_pausedomain */
    bool was_unpaused;           /* [c] it has run */

    /* Shared info page: the frame is the hypervisor's, mapped writable by the guest. */
    struct shared_info *_Atomic shared; /* [a] its page; of a dead domain, nobody's */
    mfn_t shared_mfn;            /* [I] */

    struct ports *ports;         /* [I] */
    struct grant_table *grants;  /* [I] */
    struct cpu_policy *policy;   /* [c], fixed at the first unpause */

    /* Ends */
    _Atomic int shutdown_code;   /* [a] SHUTDOWN_*; -1 while it has not shut down; changed under pause_lock */
    _Atomic uint32_t latched_code; /* [a] SCHEDOP_shutdown_code: the code + 1 to report whatever the reason is; 0: none */
    _Atomic bool crashed;        /* [a] */
    _Atomic uint32_t vm_assist;  /* [a] bits of VMASST_TYPE_*: its vCPUs change some, others look */

    /* Machine resources: dom0 has all that the hypervisor does not keep; others what they were given. */
    bool all_io;                 /* [I] */
    struct rights *rights;       /* core/rights.h; NULL: none */
    _Atomic uint32_t pci_address; /* [a] what it last wrote to port 0xcf8 */
    uint64_t time_offset_s;      /* [c], read without a lock: XEN_DOMCTL_settimeoffset */
    uint32_t tsc_mode;           /* [c] XEN_DOMCTL_settscinfo */
    _Atomic unsigned irq_lines;  /* how many interrupt lines it has: x86/irq.c */
    mfn_t pirq_eoi_mfn;          /* [d] page with the needs-EOI bitmap (PHYSDEVOP_pirq_eoi_gmfn), or MFN_NONE */
    bool pirq_auto_unmask;       /* [d] version 1 of it: eoi also unmasks */
    _Atomic uint32_t suspend_port; /* [a] XEN_DOMCTL_subscribe */
    uint32_t info_flags;         /* [c] XEN_DOMINF_xs_domain and _debugged: set by tools, read back by them */
    struct domain_sched {        /* core/sched.c */
        uint16_t weight, cap;    /* [c], read without a lock; cap in percent of one CPU, 0: none */
        uint32_t pool;           /* [c], read without a lock; core/pool.h */
        _Atomic uint32_t active; /* vCPUs that run now */
        _Atomic int64_t budget;  /* ns left in this period of the cap; negative: overdrawn */
        _Atomic bool refilling;  /* the timer is set */
        struct timer refill;
        uint64_t refill_due;     /* by the timer's function, and who sets `refilling` */
    } sched;
    struct timer watchdog[2];    /* core/watchdog.c */
    _Atomic uint32_t watchdogs;  /* [a] bit i: watchdog[i] is in use */
    uint64_t refused;            /* requests turned down, for the rate limit of refuse() */
    uint64_t refused_window;     /* ns at which the current window of the rate limit began */
    /* Its early console (CONSOLEIO_write): the unfinished line, and a rate limit. core/console.c's lock. */
    struct { uint64_t window; uint16_t lines; uint8_t len; char text[101]; } console;
};

extern struct domain *dom0;

/* ---- Finding ---- */

/* The domain with a reference taken; NULL if there is none. DOMID_SELF is not resolved here. */
__must_check struct domain *domain_get(domid_t id);
/* The first domain with id >= from; same reference. */
__must_check struct domain *domain_get_next(domid_t from);
/* The target of a call: DOMID_SELF or the caller's own id is the caller; another needs PRIV_CONTROL. errors in *err. */
__must_check struct domain *domain_target(struct domain *caller, domid_t id, int *err);
void domain_ref(struct domain *d);
static inline void domain_refs(struct domain *d, unsigned n) { d->refs += n; }
void domain_put(struct domain *d);

static inline bool domain_may(const struct domain *d, enum privilege p)
{
    return p == PRIV_NONE || (d->privileges & PRIV_BIT(p));
}
static inline bool domain_dying(const struct domain *d) { return d->life != DOMAIN_ALIVE; }

/* ---- Life ---- */

/* 0 and *out (one reference: the list's); -EEXIST, -EINVAL, -ENOMEM. DOMCTL lock held. The domain is paused once. */
int domain_create(const struct domain_config *cfg, struct domain **out);
/* Allocates its vCPUs; all are down. -EINVAL if the number is not the one it was created with. */
int domain_alloc_vcpus(struct domain *d, unsigned n);
/* Frees everything that can be freed now; -ERESTART while there is more to do. DOMCTL lock held. */
int domain_kill(struct domain *d);

void domain_pause(struct domain *d);        /* counted; waits until no vCPU of d runs (not for the caller's own) */
void domain_pause_nosync(struct domain *d);
void domain_unpause(struct domain *d);

/* The guest ends itself, or is ended (`code` SHUTDOWN_*): its vCPUs stop, the tools are told. dom0: the machine ends. */
void domain_shutdown(struct domain *d, int code);
/* A paused-by-shutdown domain runs on. */
void domain_resume(struct domain *d);
/* The guest can't be made right: logs one report with the reason, then as domain_shutdown(SHUTDOWN_crash). */
void domain_crash(struct domain *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- For core/frame.c: frames keep their owner alive ---- */

/* One more frame counted in tot_pages; d's lock is held. */
void domain_frame_added(struct domain *d);
/* The last reference to a frame of that owner went; `hv`: it was the hypervisor's, shared with it. */
void domain_frame_gone(domid_t owner, bool hv);
/* The owner of a frame that the caller has a reference to. */
struct domain *domain_of_frame(domid_t owner);

/* Pseudo-domains: DOMID_XEN owns what the hypervisor shows (M2P), DOMID_IO what is not RAM. */
extern struct domain dom_xen, dom_io;

/* ---- Hardware access ---- */

bool domain_may_port(const struct domain *d, unsigned port, unsigned bytes);
/* Frames [m, m+n) that are not RAM. */
bool domain_may_mmio(const struct domain *d, mfn_t m, uint64_t n);

#endif
