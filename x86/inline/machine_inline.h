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

/* As two halves, as the CPU gives it. */
static inline void machine_tsc_note(uint64_t *at)
{
    uint32_t *half = (uint32_t *)at;

    __asm__ volatile("rdtsc" : "=a"(half[0]), "=d"(half[1]));
}

/* Counted by x86/tlb.c. */
extern _Atomic uint64_t flush_clock;
static inline uint32_t machine_flush_stamp(void)
{
    return (uint32_t)flush_clock;
}

#endif
