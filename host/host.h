/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine made of an ordinary process, for tests: what a test may do to it beside calling the core.
 *
 * RAM is an arena with guard pages; CPUs are numbers, of which a thread is one at a time (host_cpu); every CPU has a TLB
 * that keeps what it once saw until it is flushed. It is stricter than silicon: memory in the allocator can't be touched, a
 * translation that outlives its flush is found by host_audit(), and a guest may move between any two reads of its memory.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "core/domain.h"
#include "core/frame.h"
#include "core/pcpu.h"
#include "core/vcpu.h"

#define HOST_HZ 1000000000ull /* one tick a nanosecond */

/* Once a process: frames [1, ram_frames) are RAM and free, `cpus` CPUs are online, the clock stands. */
void host_start(unsigned cpus, uint64_t ram_frames);

/* ---- CPUs ---- */

/* Which CPU this thread is. */
extern _Thread_local unsigned host_cpu;
/* v (NULL: nobody) runs on this thread's CPU from now on, without asking the scheduler. */
void host_run(struct vcpu *v);
/* machine_kick() calls, by CPU. */
extern _Atomic unsigned host_kicks[MAX_CPUS];
/* machine_nmi() calls, by CPU: nothing comes of them. */
extern _Atomic unsigned host_nmis[MAX_CPUS];

/* Called whenever the core asks which CPU it is on, as each taking and giving back of a lock does: another's turn may come. */
extern void (*host_point)(void);
/* Called while a CPU waits for another, in a process of one thread: what the other does. */
extern void (*host_relax)(void);
/* Called when a CPU has nothing to do, instead of letting other threads go first. */
extern void (*host_idle)(void);
/* What its CPUs can do then: MWAIT has two sub-states of C1 and one of C2 and C3 each. */
extern struct idle_means host_idle_means;
/* Called when interrupts are let in while something long goes on. */
extern void (*host_interrupt)(void);

/* ---- Time ---- */

/* The clock, in ticks: moves only when a test writes it. */
extern _Atomic uint64_t host_tsc;
/* What each CPU's timer is set to; ~0: not. */
extern _Atomic uint64_t host_timer[MAX_CPUS];

/* ---- Firmware ---- */

/* EFI's services; NULL: there are none. */
extern uint64_t (*host_efi)(enum efi_service service, const uint64_t arg[5]);

/* ---- Memory ---- */

/* Called before each access of the hypervisor to guest memory: the guest's own next move, on another CPU. */
extern void (*host_guest_moves)(void);
/* The guest's own access on this CPU at `va`, 8 bytes: by its TLB and page tables. False: page fault. */
bool host_guest_load(struct vcpu *v, uint64_t va, uint64_t *value);
bool host_guest_store(struct vcpu *v, uint64_t va, uint64_t value);
/* Error code of this thread's last page fault, as the guest is told. */
extern _Thread_local uint32_t host_error;
/* Called between a fault that the core says to try again and that try: another CPU's next move. */
extern void (*host_filled)(void);
/* Flushes that CPUs were made to do, all and of a page. */
extern _Atomic unsigned host_flushes;
/* They do nothing: the machine is broken, to show that it is seen. */
extern bool host_flushes_lost;
/* Calls of machine_root_changed(). */
extern _Atomic unsigned host_root_changes;

/*
 * Makes memory in the allocator untouchable, and looks at every TLB: what it holds must be a use of the frame that is
 * still allowed, but for frames that wait in the allocator. The number of translations for which that is not so; each is
 * printed.
 */
unsigned host_audit(void);
/* The TLBs alone, for where several threads are CPUs: who is to touch memory that comes out of the allocator is known to one only. */
unsigned host_audit_tlbs(void);

/* ---- Model-specific registers ---- */

/* Where this CPU has a register, NULL: it has none such; itself NULL: it has none at all. */
extern uint64_t *(*host_msr)(uint32_t msr);

/* ---- Ends ---- */

/* machine_end() was called: comes here, if set, and does not return. Else the process aborts. */
extern void (*host_ended)(enum machine_end how);
/* panic() comes here first, if set; used to show that something is caught. */
extern void (*host_panicked)(const char *text);
/* Print the log on stdout. */
extern bool host_verbose;

#endif
