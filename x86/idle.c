/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for an interrupt. No wake-up is lost: interrupts are off since before the caller's last look for work, so one that comes
 * in after it is pending. HLT sees it, as sti lets interrupts in only after the instruction that follows; MWAIT is asked to end for
 * interrupts that are masked; and the chipset brings a CPU back from a state that a port read entered when one is pending, masked
 * or not. What MWAIT monitors is not needed for that: CPUs are woken by interrupts alone.
 */
#include "x86/idle.h"

#include "core/idle.h"
#include "core/machine.h"
#include "x86/asm.h"
#include "x86/model/idle_cpuid.h"
#include "x86/percpu.h"

static struct idle_means means;

static struct cpuid_leaf leaf(uint32_t number)
{
    uint32_t last = cpuid(number & 0x80000000, 0).eax;
    struct cpuid_regs r = number <= last ? cpuid(number, 0) : (struct cpuid_regs){ 0 };

    return (struct cpuid_leaf){ r.eax, r.ebx, r.ecx, r.edx };
}

void idle_means_init(void)
{
    means = idle_means_by_cpuid(leaf(1), leaf(5), leaf(6), leaf(0x80000007));
}

const struct idle_means *machine_idle_means(void)
{
    return &means;
}

void machine_idle(const struct idle_state *s)
{
    switch (s->way) {
    case IDLE_HALT:
        sti_hlt_cli();
        return;
    case IDLE_MWAIT:
        monitor_mwait(&this_cpu()->core.work, s->at);
        break;
    case IDLE_PORT:
        inb((uint16_t)s->at);
        break;
    default:
        cpu_pause();
        break;
    }
    sti_cli();
}
