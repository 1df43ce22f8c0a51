/* SPDX-License-Identifier: BSD-2-Clause */
/* What core/machine.h asks for so often that a call would cost more than the answer. */
#ifndef X86_MACHINE_INLINE_H
#define X86_MACHINE_INLINE_H

#include "x86/model/pte.h"

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

/* ---- Guest memory ---- */

#ifdef __clang_analyzer__ /* which would take what assembly writes for unwritten */
size_t machine_copy_from_guest(void *to, guest_ptr_t from, size_t n);
size_t machine_copy_to_guest(guest_ptr_t to, const void *from, size_t n);
#else
/*
 * copy_user() and, for 4, 8 and 16 bytes, copy_user4(), _8() and _16() of x86/entry.S: bytes not copied. They change so few registers
 * that a call of them is worth saying so to the compiler.
 */
#define COPY_USER(function, left, to, from, n) \
    __asm__ volatile("call " function : "=a"(left), "+D"(to), "+S"(from), "+d"(n) : : "rcx", "cc", "memory")

static inline size_t copy_lean(void *to, const void *from, size_t n)
{
    size_t left;

    if (__builtin_constant_p(n) && n == 4)
        COPY_USER("copy_user4", left, to, from, n);
    else if (__builtin_constant_p(n) && n == 8)
        COPY_USER("copy_user8", left, to, from, n);
    else if (__builtin_constant_p(n) && n == 16)
        COPY_USER("copy_user16", left, to, from, n);
    else
        COPY_USER("copy_user", left, to, from, n);
    return left;
}

/* Once more, what was left: a write may have faulted on a stale read-only translation, which the fault itself removes. */
size_t copy_again(void *to, const void *from, size_t n, size_t left);

static inline size_t machine_copy_from_guest(void *to, guest_ptr_t from, size_t n)
{
    size_t left;

    if (unlikely(!va_range_guest(from.va, n)))
        return n;
    left = copy_lean(to, (const void *)from.va, n);
    return likely(!left) ? 0 : copy_again(to, (const void *)from.va, n, left);
}

static inline size_t machine_copy_to_guest(guest_ptr_t to, const void *from, size_t n)
{
    size_t left;

    if (unlikely(!va_range_guest(to.va, n)))
        return n;
    left = copy_lean((void *)to.va, from, n);
    return likely(!left) ? 0 : copy_again((void *)to.va, from, n, left);
}

#endif

#endif
