/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU of a paravirtualised guest: everything that goes along when it moves to another CPU.
 *
 * Who may touch a field:
 *   [I] set before the vCPU first runs, or never changed    [v] the vCPU itself (in a hypercall or trap), or anyone
 *   while it is paused and off its CPU                      [a] atomic, any CPU    [s] core/sched.c
 */
#ifndef CORE_VCPU_H
#define CORE_VCPU_H

#include "core/ids.h"
#include "core/lock.h"
#include "core/timer.h"
#include "x86/model/cpuid.h"
#include "x86/model/regs.h"

#include <xen/vcpu.h>
#include <xen/callback.h>

struct domain;
struct sched_vcpu;

/* Why a vCPU does not run; none set: runnable. */
enum vcpu_pause {
    PAUSE_DOWN    = 1u << 0, /* not brought up, or VCPUOP_down             */
    PAUSE_BLOCKED = 1u << 1, /* waits for an event: SCHEDOP_block or poll  */
    PAUSE_DOMAIN  = 1u << 2, /* the domain is paused, shut down or dying   */
    PAUSE_VCPU    = 1u << 3, /* held at least once: vcpu_hold()            */
};
#define PAUSE_HOLDS_SHIFT 16 /* above it in v->pause: how many times it is held */

/* v->poll_port of a vCPU in SCHEDOP_poll with several ports, with none. */
#define POLL_SEVERAL (~0u)
#define POLL_NONE    (~1u)

/* Selectors of the hypervisor's own part of the GDT, from the public headers: 0xe008 and up. */
#define GDT_GUEST_PAGES 14u
#define GDT_GUEST_ENTRIES (GDT_GUEST_PAGES * 512u)
#define LDT_PAGES 16u

#define TRAP_MASKS_EVENTS 4u /* of trap_info.flags */

/* What CPUID said to it; valid: leaf and subleaf mean something. Only of leaves that stay as they are: core/privop.c. */
#define CPUID_KNOWN 16u
struct cpuid_known { uint32_t leaf, subleaf; struct cpuid_leaf out; uint32_t valid, pad; };

struct callback { uint64_t va; bool mask_events; }; /* va 0: not registered */

/* Memory of the guest that is written by aligned words, each with one store; they alias whatever the guest has there. */
typedef uint64_t __attribute__((may_alias)) area_word_t;
typedef uint32_t __attribute__((may_alias)) area_word32_t;
#define AREA_WORDS 6
/* The frames are held for as long as it stands here, so its words stay where they are. mfn[0] MFN_NONE: not registered. */
struct guest_area {
    mfn_t mfn[2];
    uint64_t va;
    area_word_t *w[AREA_WORDS];
};

struct vcpu {
    unsigned id;                   /* [I] */
    uint32_t who;                  /* [I] both its numbers, as they are recorded: TRACE_WHO() */
    struct domain *domain;         /* [I] */
    struct cpu_regs *regs;         /* [v] where the registers are now: the CPU's stack while it runs, else &saved */
    struct cpu_regs saved;

    /* ---- Scheduling ---- */
    _Atomic uint32_t pause;        /* [a] enum vcpu_pause and the count of holds; changed by core/vcpu_run.c only */
    _Atomic uint32_t nmi_pending;  /* 0 or 1; set by any CPU. x86/short.S looks at it and at `pause` in one */
    _Atomic int running_on;        /* [a] CPU that holds its state (in registers), or -1 */
    unsigned cpu;                  /* [s] where it runs or last ran */
    struct sched_vcpu *sched;      /* [s] */
    cpumask_t hard, soft;          /* [s] affinity */
    _Atomic bool initialised;      /* [v] has a context, all of it */
    _Atomic bool initialising;     /* [a] some vCPU is giving it one */

    /* ---- Traps ---- */
    bool kernel_mode;              /* [v] which of its two address spaces and stacks it is in */
    struct trap_entry { uint64_t va; uint16_t cs; uint8_t flags; } __attribute__((packed, aligned(4)))
        traps[256];                /* [v] flags: as trap_info.flags */
    struct callback event_cb, failsafe_cb, syscall_cb, syscall32_cb, sysenter_cb, nmi_cb; /* [v] */
    bool nmi_masked;               /* [v] */
    uint64_t kernel_sp;            /* [v] stack for entries from user mode */
    uint16_t kernel_ss;
    uint16_t ds, es, fs, gs;       /* [v] valid while not running */
    uint64_t fs_base, gs_base_kernel, gs_base_user;
    /* Whether CR0.TS is set for it; eager FPU: a #NM is bounced only because of this. */
    uint32_t cr0, cr4;             /* [v] virtual, the bits the guest may see */
    uint64_t xcr0;
    uint64_t dr[8];                /* [v] 0-3, 6, 7 */
    unsigned iopl;                 /* [v] 0-3 */
    struct cpuid_known cpuid_known[CPUID_KNOWN]; /* [v] by (leaf + subleaf) % CPUID_KNOWN; x86/short.S reads it */
    uint64_t iobitmap;             /* [v] guest VA of its port bitmap; 0: none */
    unsigned iobitmap_ports;

    /* ---- Memory: each root holds a general and a type reference; so do the descriptor pages ---- */
    mfn_t root_kernel, root_user;  /* [v] MFN_NONE: none */
    mfn_t shadow_root[2];          /* [v] kernel's, user's: loaded in their place, core/shadow.h; MFN_NONE: not tracked */
    mfn_t gdt[GDT_GUEST_PAGES];    /* [v] n.b. MFN_NONE beyond gdt_ents */
    unsigned gdt_ents;
    mfn_t ldt[LDT_PAGES];
    uint64_t ldt_va;
    unsigned ldt_ents;
    uint32_t drain;                /* [v] frame number: tables to be undone before it runs on (core/pt.h); 0 ends */

    /* ---- Shared pages ---- */
    struct vcpu_info *_Atomic info; /* [v] in the shared info page, or in a frame of the guest's own (info_mfn) */
    struct vcpu_info no_info;      /* ... or here: one beyond that page, until it registers a place. No guest sees it */
    mfn_t info_mfn;                /* the reference held for it; MFN_NONE while in the shared info page */
    struct guest_area runstate_area, time_area; /* AREA lock; core/vcpu_area.h */
    struct lock area_lock;         /* class AREA: both areas, info->time, time_version */
    struct vcpu_runstate_info runstate; /* [s] */

    /* ---- Time ---- */
    struct timer singleshot, periodic, poll; /* core/timer.h */
    uint64_t periodic_ns, periodic_due; /* [a] period, 0: off; when it is due next: vcpu_set_periodic() */
    uint32_t time_version;

    /* ---- Events ---- */
    uint32_t virq_port[24];        /* PORT lock: port bound to each virq, 0: none */
    _Atomic uint32_t poll_port;    /* [a] in SCHEDOP_poll: the port, POLL_SEVERAL or POLL_NONE; 0: not polling */
    void *fifo;                    /* core/fifo.c: this vCPU's queues */

    struct machine_vcpu *arch;     /* [I] what the machine keeps, such as FPU state: behind this, in the same piece of memory */
};

/* The root table that the CPU gets for the mode v is in; MFN_NONE: none. */
static inline mfn_t vcpu_root(const struct vcpu *v)
{
    mfn_t root = v->kernel_mode ? v->root_kernel : v->root_user, shadow = v->shadow_root[!v->kernel_mode];

    return mfn_same(root, MFN_NONE) || mfn_same(shadow, MFN_NONE) ? root : shadow;
}

/* A vCPU of d, down, in d->vcpu[id]. 0 or -ENOMEM. vcpu_free: it is off its CPU for good and holds nothing of the guest's. */
int vcpu_create(struct domain *d, unsigned id);
void vcpu_free(struct vcpu *v);
/* Registers into the log; v does not go away meanwhile. */
void vcpu_show(const struct vcpu *v, const struct cpu_regs *r);
/* Registers and stack of the current vCPU into the log, at the crash of its domain. */
void vcpu_report(struct vcpu *v);

/* Timers and lock of a zeroed vCPU whose id and domain are set; called by sched_init_vcpu. Its opposite: when v will run no more. */
void vcpu_run_init(struct vcpu *v);
void vcpu_run_fini(struct vcpu *v);

void vcpu_pause_set(struct vcpu *v, uint32_t why);   /* stops it soon; never waits        */
void vcpu_pause_clear(struct vcpu *v, uint32_t why); /* wakes it if nothing else stops it */
/* Waits until v's state is in struct vcpu and stays there (it is paused by the caller). Not for the current vCPU. */
void vcpu_sync(struct vcpu *v);
/* PAUSE_VCPU, counted; the first form waits (vcpu_sync). */
void vcpu_hold(struct vcpu *v);
void vcpu_release(struct vcpu *v);

/* Marks an event pending for delivery and wakes or kicks v. The caller has set what the guest will look at. */
void vcpu_notify(struct vcpu *v);
/* Makes v look at what it has (an NMI): ends a block or poll, or takes it through its exit path. */
void vcpu_kick(struct vcpu *v);
/* Events or an NMI that v would take now. */
bool vcpu_deliverable(const struct vcpu *v);
/*
 * The current vCPU waits for an event (SCHEDOP_block), with its events unmasked; or for `n` ports and until time `until`
 * (0: for ever), SCHEDOP_poll. They return at once, the waiting begins on the exit path. vcpu_poll: 0, or -EINVAL for a bad port.
 */
void vcpu_block(struct vcpu *v);
/* VIRQ_TIMER every `ns` from now; 0: no longer. */
void vcpu_set_periodic(struct vcpu *v, uint64_t ns);
int vcpu_poll(struct vcpu *v, const uint32_t *ports, unsigned n, uint64_t until);

/* Debug registers 0-3, 6, 7 of the current vCPU or of one that is off its CPU. Set: -EINVAL for what would break at the hypervisor. */
uint64_t vcpu_get_debugreg(struct vcpu *v, unsigned nr);
int vcpu_set_debugreg(struct vcpu *v, unsigned nr, uint64_t value);

/* What of a value for CR4 the guest gets: the bits that are its own, and that its CPU policy has. */
uint32_t vcpu_cr4(const struct vcpu *v, uint64_t value);

/* Context of VCPUOP_initialise and XEN_DOMCTL_setvcpucontext: checks everything, then takes it. 0 or an errno. */
int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c);
void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c);
/* Gives back what v holds of the guest's: roots, descriptor pages, areas. It does not run. */
void vcpu_let_go(struct vcpu *v);
/* The same, and back to never initialised. */
void vcpu_reset(struct vcpu *v);

#endif
