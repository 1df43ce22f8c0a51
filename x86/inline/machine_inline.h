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
/* A three-byte place for stac or clac, and where a fault at guest memory goes on: the sections of x86/entry_asm.h. */
#define SMAP_SITE(kind) \
    __asm__ __inline__ volatile("8: .byte 0x0f, 0x1f, 0x00\n.pushsection .smap_sites, \"a\"\n.quad 8b, " #kind "\n.popsection")
#define FAULTS_TO(at, label) ".pushsection .extable, \"a\"\n.quad " at ", %l[" label "]\n.popsection\n"

/* One word; `memory` says that it is written. False: a fault. */
#define COPY_WORD(type, reg)                                                                              \
    __asm__ __inline__ goto("1: mov %[from], %%" reg "\n2: mov %%" reg ", %[to]\n"                                   \
                 FAULTS_TO("1b", "fault") FAULTS_TO("2b", "fault")                                        \
                 : : [to] "m"(*(type *)to), [from] "m"(*(const type *)from) : "rax", "memory" : fault);   \
    return true;                                                                                          \
fault:                                                                                                    \
    return false

static inline __attribute__((always_inline)) bool copy_word4(void *to, const void *from) { COPY_WORD(uint32_t, "eax"); }
static inline __attribute__((always_inline)) bool copy_word8(void *to, const void *from) { COPY_WORD(uint64_t, "rax"); }

/* copy_user() of x86/entry.S: bytes not copied. It changes so few registers that a call of it is worth saying so to the compiler. */
static inline size_t copy_lean(void *to, const void *from, size_t n)
{
    size_t left;

    __asm__ volatile("call copy_user" : "=a"(left), "+D"(to), "+S"(from), "+d"(n) : : "rcx", "cc", "memory");
    return left;
}

#define COPY_IN_PLACE_MAX 24u

/* So many bytes, a constant, are copied in place: all of them, or none that counts. */
static inline __attribute__((always_inline)) size_t copy_in_place(void *to, const void *from, size_t n)
{
    bool done = true;

    SMAP_SITE(1);
    for (size_t at = 0; done && at < n; at += n == 4 ? 4 : 8)
        done = n == 4 ? copy_word4(to, from) : copy_word8((char *)to + at, (const char *)from + at);
    SMAP_SITE(0);
    return likely(done) ? 0 : n;
}

static inline __attribute__((always_inline)) size_t copy_guest(void *to, const void *from, size_t n)
{
    if (__builtin_constant_p(n) && n <= COPY_IN_PLACE_MAX && (n == 4 || n % 8 == 0))
        return copy_in_place(to, from, n);
    return copy_lean(to, from, n);
}

/* Once more, what was left: a write may have faulted on a stale read-only translation, which the fault itself removes. */
size_t copy_again(void *to, const void *from, size_t n, size_t left);

static inline size_t machine_copy_from_guest(void *to, guest_ptr_t from, size_t n)
{
    size_t left;

    if (unlikely(!va_range_guest(from.va, n)))
        return n;
    left = copy_guest(to, (const void *)from.va, n);
    return likely(!left) ? 0 : copy_again(to, (const void *)from.va, n, left);
}

static inline size_t machine_copy_to_guest(guest_ptr_t to, const void *from, size_t n)
{
    size_t left;

    if (unlikely(!va_range_guest(to.va, n)))
        return n;
    left = copy_guest((void *)to.va, from, n);
    return likely(!left) ? 0 : copy_again((void *)to.va, from, n, left);
}

#endif

#endif
