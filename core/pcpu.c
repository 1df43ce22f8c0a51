/* SPDX-License-Identifier: BSD-2-Clause */
/* The physical CPUs, and how one of them is given work. */
#include "core/pcpu.h"
#include "core/trace.h"

#include <stdatomic.h>

struct pcpu *pcpus[MAX_CPUS];
unsigned pcpu_count;
cpumask_t pcpu_online;

void pcpu_raise(unsigned cpu, uint32_t work)
{
    struct pcpu *c = pcpus[cpu];
    uint32_t before = atomic_fetch_or(&c->work, work);

    /*
     * This CPU is in the hypervisor and looks on its way out. Another one needs the kick only for the first
     * bit: whoever set that has sent it, or the CPU set it itself and will look; it takes all bits at once.
     */
    if (cpu != this_pcpu()->id && !before) {
        trace1(TRACE_KICK, cpu);
        machine_kick(cpu);
    }
}
