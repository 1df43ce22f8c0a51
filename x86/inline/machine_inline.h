/* SPDX-License-Identifier: BSD-2-Clause */
/* What core/machine.h asks for so often that a call would cost more than the answer. */
#ifndef X86_MACHINE_INLINE_H
#define X86_MACHINE_INLINE_H

/* All stacks of a CPU lie in one area of this size and alignment; so far from its end a word names the CPU (x86/percpu.h). */
#define CPU_AREA_SIZE   0x10000u
#define CPU_WORD_TO_END 40u

static inline struct pcpu *machine_pcpu(void)
{
    uint64_t sp;

    __asm__("mov %%rsp, %0" : "=r"(sp));
    return *(struct pcpu **)((sp | (CPU_AREA_SIZE - 1)) + 1 - CPU_WORD_TO_END);
}

/* All of RAM is mapped from here on; x86/layout.h. */
#define RAM_VA 0xffff830000000000ull

static inline void *machine_ram(mfn_t m)
{
    return (void *)(RAM_VA + (m.n << PAGE_SHIFT));
}

static inline uint64_t machine_tsc_soon(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

/* Counted by x86/tlb.c. */
extern _Atomic uint64_t flush_clock;
static inline uint32_t machine_flush_stamp(void)
{
    return (uint32_t)flush_clock;
}

#endif
