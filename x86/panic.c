/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of the hypervisor itself: says why and where, then ends the machine.
 *
 * Nothing here waits for a lock: its holder may be the one that failed. Only the first panic is told; what
 * fails after it stops silently. A screen shows the beginning, so what matters most is said first. testbed/read-panic finds
 * the report in what the serial line said, and names the functions of its addresses by the ELF file of the build.
 */
#include "x86/panic.h"

#include "core/domain.h"
#include "core/heartbeat.h"
#include "core/keys.h"
#include "core/log.h"
#include "core/mce.h"
#include "core/pcpu.h"
#include "core/trace.h"
#include "core/vcpu.h"
#include "lib/printf.h"
#include "x86/apic.h"
#include "x86/asm.h"
#include "x86/irq.h"
#include "x86/mm.h"
#include "x86/percpu.h"
#include "x86/screen.h"

#include <stdatomic.h>

#define STACK_WORDS   48u
#define FRAMES_SHOWN  24u

static _Atomic unsigned panics;

#define say(...) hv_log(LOG_ERR, __VA_ARGS__)

static bool in_text(uint64_t va)
{
    return va >= (uint64_t)text_start && va < (uint64_t)text_end;
}

/* Is the word at va on this CPU's main or exception stacks? Their guard pages are left out. */
static bool on_stack(uint64_t va)
{
    uint64_t area = (uint64_t)stack_top() & ~(uint64_t)(STACK_AREA_SIZE - 1), page = (va - area) / PAGE_SIZE;

    if (va & 7 || va < area || va - area >= STACK_AREA_SIZE)
        return false;
    return page >= MAIN_STACK_PAGE || page % 2 == 1;
}

static void say_registers(const struct cpu_regs *r)
{
    say("rip %016lx  rsp %016lx  rflags %08lx  vector %u  error %#x", r->rip, r->rsp, r->rflags,
        r->entry_vector, r->error_code);
    say("rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", r->rax, r->rbx, r->rcx, r->rdx);
    say("rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx", r->rsi, r->rdi, r->rbp, r->r8);
    say("r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx", r->r9, r->r10, r->r11, r->r12);
    say("r13 %016lx  r14 %016lx  r15 %016lx  cs %04lx ss %04lx", r->r13, r->r14, r->r15, r->cs, r->ss);
}

static void say_stack(uint64_t rsp)
{
    char line[4 * 17 + 1];

    say("stack from %016lx:", rsp);
    for (unsigned i = 0; i < STACK_WORDS; i += 4, rsp += 32) {
        size_t n = 0;

        for (unsigned k = 0; k < 4 && on_stack(rsp + k * 8); k++)
            n += ksnprintf(line + n, sizeof(line) - n, " %016lx", ((const uint64_t *)rsp)[k]);
        if (!n)
            return;
        say("%s", line);
    }
}

/* By frame pointers; stops at the first that is not above the last. */
static void say_callers(uint64_t rip, uint64_t rbp)
{
    say("called from:");
    say("  %016lx", rip);
    for (unsigned i = 0; i < FRAMES_SHOWN && on_stack(rbp) && on_stack(rbp + 8); i++) {
        const uint64_t *frame = (const uint64_t *)rbp;

        if (!in_text(frame[1]))
            return;
        say("  %016lx", frame[1]);
        if (frame[0] <= rbp)
            return;
        rbp = frame[0];
    }
}

static void say_who(void)
{
    struct vcpu *v = current_vcpu();

    if (v)
        say("on CPU %u, running d%uv%u", this_pcpu()->id, v->domain->id, v->id);
    else
        say("on CPU %u, idle", this_pcpu()->id);
    say("cr0 %08lx  cr2 %016lx  cr3 %016lx  cr4 %08lx", read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

/* Only the first to come goes on. */
static void begin(void)
{
    cli();
    heartbeat_stop(); /* telling takes long */
    log_unlock_for_panic();
    if (panics++)
        for (;;)
            hlt();
    screen_take_back();
}

#define EVENTS_SHOWN 256u /* of all CPUs together, but at least */
#define EVENTS_LEAST 8u   /* of each                            */

static _Noreturn void end(void)
{
    if (pcpu_count)
        trace_show_last(MAX(EVENTS_SHOWN / pcpu_count, EVENTS_LEAST));
    if (pcpu_count > 1)
        apic_send_others(VECTOR_STOP);
    machine_end(MACHINE_CRASHED);
}

static _Noreturn void tell(const struct cpu_regs *regs)
{
    say_who();
    say_registers(regs);
    say_callers(regs->rip, regs->rbp);
    say_stack(regs->rsp);
    end();
}

void panic_trap(const struct cpu_regs *regs)
{
    begin();
    say("*** panic: exception %u in the hypervisor", regs->entry_vector);
    tell(regs);
}

void panic_missed(const struct cpu_regs *regs, unsigned seconds)
{
    begin();
    say("*** panic: watchdog: this CPU has not come to its timers for %u seconds", seconds);
    tell(regs);
}

void panic_machine_check(const struct cpu_regs *regs, const struct mce_event *e)
{
    begin();
    say("*** panic: machine check: the hardware failed; global status %lx", e->global);
    for (unsigned i = 0; i < e->count; i++)
        say("bank %u: status %016lx  address %lx  misc %lx", e->bank[i].bank, e->bank[i].status, e->bank[i].addr, e->bank[i].misc);
    tell(regs);
}

void panic(const char *fmt, ...)
{
    char why[200];
    va_list args;
    uint64_t frame = (uint64_t)__builtin_frame_address(0);

    begin();
    va_start(args, fmt);
    kvsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    say("*** panic: %s", why);
    say_who();
    say_callers((uint64_t)__builtin_return_address(0), *(const uint64_t *)frame);
    say_stack(frame);
    end();
}

/* ---- Asked for ---- */

#ifdef NDEBUG
void panic_keys_init(void) { }
#else
static uint64_t crash(uint64_t at)
{
    panic("asked for by debug key 'C', at %lu", at);
}

void panic_keys_init(void)
{
    key_register('C', "crash the hypervisor, to see its report", false, crash);
}
#endif
