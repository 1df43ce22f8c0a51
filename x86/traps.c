/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CPU brings us, by vector: a guest's doing goes to the core, an interrupt to its line, our own fault to the panic. */
#include "abi/hypercall.h"
#include "core/bounce.h"
#include "core/exit.h"
#include "core/guest_trap.h"
#include "core/heartbeat.h"
#include "core/keys.h"
#include "core/log.h"
#include "core/mce.h"
#include "core/shadow.h"
#include "core/vcpu.h"
#include "core/vcpu_tables.h"
#include "lib/string.h"
#include "x86/asm.h"
#include "x86/irq.h"
#include "x86/panic.h"
#include "x86/percpu.h"
#include "x86/switch.h"
#include "x86/traps.h"
#include "x86/xpti.h"

#define DR6_CAUSES 0xe00ful

struct extable { uint64_t fault, go_on; };
extern const struct extable extable_start[], extable_end[];

static uint64_t extable_find(uint64_t rip)
{
    for (const struct extable *e = extable_start; e < extable_end; e++) {
        if (e->fault == rip)
            return e->go_on;
    }
    return 0;
}

/*
 * The guest's frame did not load: its general registers come back from the fault's frame, and it gets the exception as if the
 * destination had raised it.
 */
static _Noreturn void iret_failed(const struct cpu_regs *fault)
{
    struct cpu_regs general = *fault, *regs = &stack_top()->regs;

    memcpy(regs, &general, offsetof(struct cpu_regs, error_code));
    if (!vcpu_ldt_fault(current_vcpu(), general.error_code))
        bounce_trap(current_vcpu(), general.entry_vector, general.error_code & ~3u);
    leave_by_frame(regs);
}

static void nmi(const struct cpu_regs *regs)
{
    unsigned missed = heartbeat_missed();

    this_cpu()->nmi_count++;
    if (missed)
        panic_missed(regs, missed);
}

static void machine_check(const struct cpu_regs *regs)
{
    struct mce_event e;

    if (mce_exception(&e))
        panic_machine_check(regs, &e);
}

static uint64_t show_nmis(uint64_t at)
{
    if (at >= pcpu_count)
        return 0;
    hv_log(LOG_ERR, "   CPU %lu: %u NMIs", at, ((struct x86_pcpu *)pcpus[clamp_index(at, pcpu_count)])->nmi_count);
    return at + 1 < pcpu_count ? at + 1 : 0;
}

void traps_keys_init(void)
{
    key_register('n', "NMI statistics", true, show_nmis);
}

void trap_from_hypervisor(struct cpu_regs *regs)
{
    extern char guest_iret[];
    unsigned vector = regs->entry_vector;
    uint64_t go_on;

    if (vector >= 0x20) {
        irq_dispatch(vector);
        return;
    }
    switch (vector) {
    case X86_VEC_NMI:
        nmi(regs);
        return;
    case X86_VEC_DB: /* a guest's breakpoint hit in our copy of its memory, or single step into an entry: not ours */
        write_dr6(0xffff0ff0);
        regs->rflags &= ~X86_EFLAGS_TF;
        return;
    case X86_VEC_MC:
        machine_check(regs);
        return;
    case X86_VEC_DF:
        break;
    default:
        go_on = extable_find(regs->rip);
        if (go_on && vector == X86_VEC_PF && shadow_own_fault(current_vcpu(), read_cr2(), (uint32_t)regs->error_code))
            return;
        if (go_on) {
            regs->rip = go_on;
            return;
        }
        if (regs->rip == (uint64_t)guest_iret && current_vcpu())
            iret_failed(regs);
    }
    panic_trap(regs);
}

void trap_from_guest(struct cpu_regs *regs)
{
    struct vcpu *v = current_vcpu();
    unsigned vector = regs->entry_vector;

    if (vector < PERF_EXCEPTION_MAX)
        perf_count_nth(PERF_EXCEPTIONS, vector, PERF_EXCEPTION_MAX);
    switch (vector) {
    case X86_VEC_PF: {
        uint64_t cr2 = read_cr2();

        guest_page_fault(v, cr2, regs->error_code);
        break;
    }
    case X86_VEC_DB:
        v->dr[6] |= read_dr6() & DR6_CAUSES; /* until the guest clears them, as on silicon */
        write_dr6(0xffff0ff0);
        bounce_trap(v, X86_VEC_DB, NO_ERROR_CODE);
        break;
    case X86_VEC_NMI:
        nmi(regs);
        break;
    case X86_VEC_MC:
        machine_check(regs);
        break;
    case X86_VEC_DF:
        panic_trap(regs);
    case 0x80:
        bounce_trap(v, 0x80, NO_ERROR_CODE);
        break;
    default:
        if (vector >= 0x20)
            irq_dispatch(vector);
        else
            guest_trap(v, vector, regs->error_code);
    }
}

void syscall_from_guest(struct cpu_regs *regs)
{
    struct vcpu *v = current_vcpu();

    if (v->kernel_mode)
        hypercall_entry(v);
    else
        bounce_syscall(v);
}

void short_undo(void)
{
    machine_set_mode(current_vcpu(), false);
}

void syscall32_from_guest(struct cpu_regs *regs)
{
    bounce_syscall32(current_vcpu());
}

void sysenter_from_guest(struct cpu_regs *regs)
{
    bounce_sysenter(current_vcpu());
}

/* The guest's flags and selectors were made safe where they were set; here they are made certain. Nothing comes after this. */
static inline void enter_guest(struct stack_top *top)
{
    struct cpu_regs *regs = &top->regs;

    ASSERT(!top->cpu->core.locks_held);
    regs->rflags = (regs->rflags & ~FLAGS_NEVER) | X86_EFLAGS_IF | X86_EFLAGS_MBS;
    regs->cs |= 3;
    regs->ss |= 3;
    xpti_before_guest(top->cpu);
}

/* Selectors that did not load are told to the guest. That may be its end: it leaves only by way of core_exit(). */
static void leave_after_work(void)
{
    for (;;) {
        struct vcpu *v;

        core_exit();
        v = current_vcpu();
        if (likely(!v->arch->bad_segment))
            break;
        v->arch->bad_segment = 0;
        bounce_failsafe(v);
    }
    enter_guest(stack_top());
}

/* The last C before the guest. Segments are loaded by core_exit() alone: without it none can be bad. */
void leave_to_guest(void)
{
    struct stack_top *top = stack_top();
    struct pcpu *c = &top->cpu->core;

    if (unlikely(!c->current || core_exit_needed(c, c->current))) {
        leave_after_work();
    } else {
        budget_begin(c);
        enter_guest(top);
    }
}
