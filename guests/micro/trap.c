/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens on a trap: record it, serve events, step over an expected fault, or end the run with a dump.
 */

#include "trap.h"

#include <xen/callback.h>
#include <xen/sched.h>

#include "event.h"

struct fixup {
    uint64_t from, to;
};

extern const struct fixup fixups_start[], fixups_end[];

struct trap_record trap_seen;
bool (*trap_hook)(struct regs *regs);
char kernel_stack[16384] __attribute__((aligned(16)));

static struct regs *user_state;         /* where a trap from user mode is to be stored; NULL: no user mode */

void trap(struct regs *regs);

void trap_forget(void)
{
    memset(&trap_seen, 0, sizeof(trap_seen));
}

static void record(const struct regs *regs)
{
    trap_seen.count++;
    trap_seen.regs = *regs;
    trap_seen.cr2 = vcpu_info()->arch.cr2;
    trap_seen.mask = vcpu_info()->evtchn_upcall_mask;
    __asm__ volatile("pushfq; pop %0" : "=r"(trap_seen.handler_rflags));
    trap_seen.handler_rsp = (uint64_t)&regs->vector;
}

static bool step_over(struct regs *regs)
{
    const struct fixup *f;

    for (f = fixups_start; f < fixups_end; f++)
        if (f->from == regs->rip) {
            regs->rip = f->to;
            return true;
        }
    return false;
}

static void die(const struct regs *r)
{
    print("not ok 0 unexpected trap %lu error 0x%lx rip 0x%lx cs 0x%lx rflags 0x%lx rsp 0x%lx ss 0x%lx "
          "cr2 0x%lx\n",
          r->vector, r->error, r->rip, r->cs, r->rflags, r->rsp, r->ss, vcpu_info()->arch.cr2);
    print("# rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx r8 %lx r9 %lx\n", r->rax, r->rbx,
          r->rcx, r->rdx,
          r->rsi, r->rdi, r->rbp, r->r8, r->r9);
    shutdown(is_dom0() ? SHUTDOWN_reboot : SHUTDOWN_crash);
}

void trap(struct regs *regs)
{
    if (regs->vector == TRAP_EVENT) {
        event_upcall(regs);
        return;
    }
    record(regs);
    if (trap_hook && trap_hook(regs))
        return;
    if (user_state && (regs->cs & 3) == 3) {
        *user_state = *regs;
        user_state = NULL;
        leave_frame();
    }
    if (step_over(regs))
        return;
    /* A trap rather than a fault: rip is already behind the instruction. */
    if (regs->vector == 1 || regs->vector == 3 || regs->vector == 4 ||
        (regs->vector >= 32 && regs->vector < 256))
        return;
    die(regs);
}

void run_user(struct regs *r)
{
    struct regs start = *r;

    hypercall(__HYPERVISOR_stack_switch, KERNEL_SS, kernel_stack + sizeof(kernel_stack));
    user_state = r;
    run_frame(&start);
    events_off();
}

static long register_callback(unsigned int type, void *address)
{
    struct callback_register cb = { .type = (uint16_t)type, .flags = CALLBACKF_mask_events,
                                    .address = U(address) };

    return hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &cb);
}

void trap_init(void)
{
    static struct trap_info table[257];
    unsigned int i, n = 0;
    long rc;

    for (i = 0; i < 256; i++) {
        if (i >= 32 && i != 0x80 && i != 0x81 && i != 0x82)
            continue;
        table[n].vector = (uint8_t)i;
        table[n].cs = KERNEL_CS | 3;
        table[n].address = U(trap_stub(i));
        TI_SET_DPL(&table[n], (i == 3 || i == 4 || i == 0x80 || i == 0x81) ? 3 : 0);
        TI_SET_IF(&table[n], i != 0x81);
        n++;
    }
    rc = hypercall(__HYPERVISOR_set_trap_table, table);
    rc = rc ?: register_callback(CALLBACKTYPE_event, trap_stub(TRAP_EVENT));
    rc = rc ?: register_callback(CALLBACKTYPE_failsafe, failsafe_stub);
    rc = rc ?: register_callback(CALLBACKTYPE_syscall, trap_stub(TRAP_SYSCALL));
    rc = rc ?: register_callback(CALLBACKTYPE_syscall32, trap_stub(TRAP_SYSCALL32));
    register_callback(CALLBACKTYPE_sysenter, trap_stub(TRAP_SYSENTER));    /* may be refused on AMD */
    rc = rc ?: hypercall(__HYPERVISOR_stack_switch, KERNEL_SS, kernel_stack + sizeof(kernel_stack));
    if (rc)
        print("# trap_init: %ld\n", rc);
}
