/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that the core asks of a machine. x86/ makes it of silicon, host/ of an ordinary process; nothing in core or abi
 * knows which one it runs on.
 */
#ifndef CORE_MACHINE_H
#define CORE_MACHINE_H

#include "core/ids.h"

struct vcpu;
struct pcpu;
struct e820entry;
struct cpu_policies;
struct idle_means;
struct idle_state;

/* ---- CPUs ---- */

/*
 * Of the machine's own header, machine_inline.h, because they are asked at each turn:
 *   struct pcpu *machine_pcpu(void)       this CPU's structure; always valid
 *   void *machine_ram(mfn_t)              machine_frame() of what is known to be RAM
 *   void machine_tsc_note(uint64_t *at)   machine_tsc() to there, but maybe read a little early or late
 *   uint32_t machine_flush_stamp(void)    the clock of full TLB flushes, see machine_stale()
 */

/* One turn of a waiting loop: answers what other CPUs ask of this one (TLB flushes), then pauses. */
void machine_relax(void);

/* Takes the interrupts that are pending, now. No lock held. */
void machine_interrupts(void);

/* Makes `cpu` pass through its exit path (core/exit.h) soon, out of guest mode or idle. Never waits. */
void machine_kick(unsigned cpu);

/* Sends `cpu` an NMI, which it takes whatever it does; core/heartbeat.h says what it means. Never waits. */
void machine_nmi(unsigned cpu);

/* ---- Memory ---- */

/* The page itself; valid for any frame of RAM, for ever. NULL for what is not RAM. */
void *machine_frame(mfn_t m);

/* The frame that a machine_frame() pointer lies in. */
mfn_t machine_frame_mfn(const void *p);

/* The machine-to-phys table that guests may read: one entry a frame. Only core/m2p.h touches it. */
uint64_t *machine_m2p(void);
/* First of the 512 contiguous frames of its i-th 2 MiB. */
mfn_t machine_m2p_chunk(unsigned i);
/* The firmware's memory map, for the domain that drives the hardware; fixed at boot. */
extern struct e820entry *machine_e820;
extern unsigned machine_e820_count;

/* A not-present entry of a page table lets who runs on it read what the L1 cache has of its address (L1TF). Fixed at boot. */
extern bool machine_leaks_l1;

/* Fills the hypervisor's slots (256-271) of a root table. */
void machine_root_init(uint64_t *root);

/* ---- TLBs ---- */

enum flush {
    FLUSH_ALL,  /* every translation but the hypervisor's own */
    FLUSH_PAGE, /* the one of `va`                            */
};

/* Flushes on each CPU of `cpus` (this one included if it is in the mask); returns when all have done it. */
void machine_flush(cpumask_t cpus, enum flush what, uint64_t va);
void machine_flush_own(enum flush what, uint64_t va); /* of this CPU alone */

/* Writes back and empties every CPU's caches. */
void machine_flush_caches(void);

/* A clock of full flushes: machine_flush_stamp() now; later ask which CPUs of a mask have had no full flush since. */
cpumask_t machine_stale(cpumask_t cpus, uint32_t stamp);

/* ---- The current guest's memory, by its kernel page tables ---- */

/*
 * Of machine_inline.h, too; both return the number of bytes *not* copied: 0 is success. They refuse the hypervisor's range. May
 * be partial.
 *   size_t machine_copy_from_guest(void *to, guest_ptr_t from, size_t n)
 *   size_t machine_copy_to_guest(guest_ptr_t to, const void *from, size_t n)
 */

/*
 * Compare-and-swap of a naturally aligned 1, 2, 4 or 8 byte word of guest memory. *old is updated to what was there.
 * Returns 0, or -EFAULT.
 */
int machine_cmpxchg_guest(guest_ptr_t p, uint64_t *old, uint64_t new, unsigned width);

/* ---- vCPUs ---- */

/* What the machine keeps per vCPU (v->arch: FPU state and the like): how many bytes; and v's, which is zeroed, made ready. */
#define MACHINE_VCPU_ALIGN 64
size_t machine_vcpu_size(void);
void machine_vcpu_init(struct vcpu *v);

/* Legacy (FXSAVE) part of the FPU state of a vCPU that is off its CPU; n <= 512. */
void machine_fpu_set(struct vcpu *v, const void *state, size_t n);
void machine_fpu_get(struct vcpu *v, void *state, size_t n);
/*
 * All of the FPU state of a vCPU that is off its CPU, as an XSAVE area in standard format; n >= 576, what the machine has
 * beyond n is left out, or initial. What is set has no bit in its header that the machine has not.
 */
void machine_xstate_set(struct vcpu *v, const void *area, size_t n);
void machine_xstate_get(struct vcpu *v, void *area, size_t n);

/*
 * Puts the state of `prev` (NULL: idle) aside and loads that of `next` (NULL: idle): registers, FPU, segments,
 * descriptor tables, debug registers and page-table root. Only core/exit.c calls it.
 */
void machine_switch(struct vcpu *prev, struct vcpu *next);

/* The current vCPU enters its kernel or user mode: root and GS base change with v->kernel_mode. */
void machine_set_mode(struct vcpu *v, bool kernel);

/* What the current vCPU has live in the CPU: FS base, the two GS bases, the user GS selector. */
/* which: SEGBASE_FS, SEGBASE_GS_USER or SEGBASE_GS_KERNEL of the ABI (the macros; no enum of ours can carry their names). */
uint64_t machine_segbase(const struct vcpu *v, unsigned which);
void machine_set_segbase(struct vcpu *v, unsigned which, uint64_t base);
/* Makes ds, es, fs and gs null. */
void machine_clear_selectors(struct vcpu *v);
/* Loads user gs; false (and null) if the selector does not load. */
bool machine_set_gs(struct vcpu *v, uint16_t sel);

/* v->cr0, v->cr4, v->xcr0 or v->dr[] of the current vCPU changed. */
void machine_load_control(struct vcpu *v);

/* The current vCPU's root, GDT or LDT changed: load the new ones. */
void machine_load_root(struct vcpu *v);
/* An entry of a root, maybe loaded somewhere, changed: on return no guest runs by what it was. Flushes. */
void machine_root_changed(mfn_t root);
void machine_load_gdt(struct vcpu *v);
void machine_load_ldt(struct vcpu *v);

/*
 * Waits in this state until an interrupt or a kick; takes pending interrupts. One that comes in after interrupts went off, however
 * long before the call, ends it at once. idle_cannot() has nothing against s.
 */
void machine_idle(const struct idle_state *s);
/* Fixed at boot. */
const struct idle_means *machine_idle_means(void);

/* ---- Time ---- */

uint64_t machine_tsc(void);

/* Asks for one passage through this CPU's exit path at `tsc`; ~0 cancels. Replaces the previous request. */
void machine_timer(uint64_t tsc);

/* Some of [port, port + bytes), or of frames [m, m + n), is the hypervisor's own: nobody else may have it. */
bool machine_keeps_port(unsigned port, unsigned bytes);
bool machine_keeps_mmio(mfn_t m, uint64_t n);

/* ---- Devices and registers, for those who may (core/privop.c asks first) ---- */

uint32_t machine_port_read(uint16_t port, unsigned bytes);
void machine_port_write(uint16_t port, unsigned bytes, uint32_t value);
/* Ports 0xcfc..0xcff with `address` in the address register. */
uint32_t machine_pci_read(uint32_t address, uint16_t port, unsigned bytes);
void machine_pci_write(uint32_t address, uint16_t port, unsigned bytes, uint32_t value);
/* Is any of it the hypervisor's own: its serial line, interrupt controllers, PCI's address register? */
bool machine_keeps_port(unsigned port, unsigned bytes);
bool machine_keeps_mmio(mfn_t m, uint64_t n);
/* The CPUID policies of this machine, fixed at boot. */
const struct cpu_policies *machine_cpu_policies(void);
/* Width of a machine address on this CPU, in bits. */
unsigned machine_maddr_bits(void);
/* False: the CPU has no such MSR. */
bool machine_msr_read(uint32_t msr, uint64_t *value);
bool machine_msr_write(uint32_t msr, uint64_t value);

/* ---- The firmware's services ---- */

/* By their place in EFI's table of them (UEFI 2.9, 4.5). */
enum efi_service {
    EFI_GET_TIME        = 24,
    EFI_SET_TIME        = 32,
    EFI_GET_WAKEUP      = 40,
    EFI_SET_WAKEUP      = 48,
    EFI_GET_VARIABLE    = 72,
    EFI_NEXT_VARIABLE   = 80,
    EFI_SET_VARIABLE    = 88,
    EFI_NEXT_COUNT      = 96,
    EFI_QUERY_VARIABLES = 128,
};

/* Does the firmware have services that can be called? Fixed at boot. */
bool machine_has_efi(void);
/* Calls one, for the current vCPU; pointers are to the hypervisor's memory. Its EFI status. No lock held. */
uint64_t machine_efi_call(enum efi_service service, const uint64_t arg[5]);

/* ---- Ends ---- */

/* CRASHED: as noreboot says, halt or reboot. */
enum machine_end { MACHINE_OFF, MACHINE_REBOOT, MACHINE_HALT, MACHINE_CRASHED };
_Noreturn void machine_end(enum machine_end how);

/* Bytes to the machine's console, from any context. */
void machine_console_write(const char *s, size_t n);

#include "machine_inline.h"

#endif
