/* SPDX-License-Identifier: BSD-2-Clause */
/* The instructions that C has no word for, one inline function each. Ring 0 only. */
#ifndef X86_ASM_H
#define X86_ASM_H

#include "lib/types.h"

/* ---- I/O ports ---- */

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;

    __asm__ volatile ("inb %1, %0" : "=a" (v) : "Nd" (port));
    return v;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t v;

    __asm__ volatile ("inw %1, %0" : "=a" (v) : "Nd" (port));
    return v;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t v;

    __asm__ volatile ("inl %1, %0" : "=a" (v) : "Nd" (port));
    return v;
}

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile ("outb %0, %1" : : "a" (v), "Nd" (port));
}

static inline void outw(uint16_t port, uint16_t v)
{
    __asm__ volatile ("outw %0, %1" : : "a" (v), "Nd" (port));
}

static inline void outl(uint16_t port, uint32_t v)
{
    __asm__ volatile ("outl %0, %1" : : "a" (v), "Nd" (port));
}

/* ---- MMIO: one access of exactly that width ---- */

static inline uint32_t mmio_read32(const volatile void *p) { return *(const volatile uint32_t *)p; }
static inline void mmio_write32(volatile void *p, uint32_t v) { *(volatile uint32_t *)p = v; }
static inline uint64_t mmio_read64(const volatile void *p) { return *(const volatile uint64_t *)p; }
static inline void mmio_write64(volatile void *p, uint64_t v) { *(volatile uint64_t *)p = v; }

/* ---- Model-specific registers ---- */

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile ("rdmsr" : "=a" (lo), "=d" (hi) : "c" (msr));
    return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile ("wrmsr" : : "c" (msr), "a" ((uint32_t)v), "d" ((uint32_t)(v >> 32)) : "memory");
}

/* ---- Identity and time ---- */

struct cpuid_regs { uint32_t eax, ebx, ecx, edx; };

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t sub)
{
    struct cpuid_regs r;

    __asm__ volatile ("cpuid" : "=a" (r.eax), "=b" (r.ebx), "=c" (r.ecx), "=d" (r.edx) : "a" (leaf), "c" (sub));
    return r;
}

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile ("rdtsc" : "=a" (lo), "=d" (hi) : : "memory");
    return (uint64_t)hi << 32 | lo;
}

/* Not before what stands before it in the program. */
static inline uint64_t rdtsc_ordered(void)
{
    __asm__ volatile ("lfence" : : : "memory");
    return rdtsc();
}

/* ---- Interrupt flag, waiting ---- */

static inline void cli(void) { __asm__ volatile ("cli" : : : "memory"); }
static inline void sti(void) { __asm__ volatile ("sti" : : : "memory"); }
static inline void hlt(void) { __asm__ volatile ("hlt" : : : "memory"); }
static inline void cpu_pause(void) { __asm__ volatile ("pause" : : : "memory"); }
static inline void wbinvd(void) { __asm__ volatile ("wbinvd" : : : "memory"); }

/* Sleeps until an interrupt, without a gap between letting it in and sleeping; interrupts are off again after it. */
static inline void sti_hlt_cli(void) { __asm__ volatile ("sti; hlt; cli" : : : "memory"); }

/*
 * Waits by MWAIT, with interrupts off, until one comes in: it stays pending (ECX bit 0). One that is pending already ends it at
 * once; so does a write to the line at `line`, or nothing at all.
 */
static inline void monitor_mwait(const void *line, uint32_t hint)
{
    __asm__ volatile ("monitor" : : "a"(line), "c"(0), "d"(0) : "memory");
    __asm__ volatile ("mwait" : : "a"(hint), "c"(1) : "memory");
}

/* Lets in all interrupts that are pending: none comes right behind sti. */
static inline void sti_cli(void) { __asm__ volatile ("sti; nop; cli" : : : "memory"); }

static inline uint64_t read_rflags(void)
{
    uint64_t v;

    __asm__ volatile ("pushfq; popq %0" : "=r" (v));
    return v;
}

/* ---- Control and debug registers ---- */

#define ASM_REGISTER(name)                                                      \
    static inline uint64_t read_##name(void)                                    \
    {                                                                           \
        uint64_t v;                                                             \
                                                                                \
        __asm__ volatile ("movq %%" #name ", %0" : "=r" (v) : : "memory");      \
        return v;                                                               \
    }                                                                           \
    static inline void write_##name(uint64_t v)                                 \
    {                                                                           \
        __asm__ volatile ("movq %0, %%" #name : : "r" (v) : "memory");          \
    }

ASM_REGISTER(cr0)
ASM_REGISTER(cr2)
ASM_REGISTER(cr3)
ASM_REGISTER(cr4)
ASM_REGISTER(cr8)
ASM_REGISTER(dr0)
ASM_REGISTER(dr1)
ASM_REGISTER(dr2)
ASM_REGISTER(dr3)
ASM_REGISTER(dr6)
ASM_REGISTER(dr7)

#undef ASM_REGISTER

static inline void clts(void) { __asm__ volatile ("clts" : : : "memory"); }
static inline void invlpg(uint64_t va) { __asm__ volatile ("invlpg (%0)" : : "r" (va) : "memory"); }

/* Only where CR4.SMAP can be set: elsewhere these are undefined instructions. */
static inline void stac(void) { __asm__ volatile ("stac" : : : "memory", "cc"); }
static inline void clac(void) { __asm__ volatile ("clac" : : : "memory", "cc"); }

static inline void xsetbv(uint32_t reg, uint64_t v)
{
    __asm__ volatile ("xsetbv" : : "c" (reg), "a" ((uint32_t)v), "d" ((uint32_t)(v >> 32)) : "memory");
}

/* ---- Descriptor tables and segments ---- */

struct desc_ptr { uint16_t limit; uint64_t base; } __packed;

static inline void lgdt(const struct desc_ptr *p) { __asm__ volatile ("lgdt %0" : : "m" (*p) : "memory"); }
static inline void lidt(const struct desc_ptr *p) { __asm__ volatile ("lidt %0" : : "m" (*p) : "memory"); }
static inline void ltr(uint16_t sel)  { __asm__ volatile ("ltr %0" : : "r" (sel) : "memory"); }
static inline void lldt(uint16_t sel) { __asm__ volatile ("lldt %0" : : "r" (sel) : "memory"); }
static inline void swapgs(void)       { __asm__ volatile ("swapgs" : : : "memory"); }

#define ASM_SEGMENT(name)                                                       \
    static inline uint16_t read_##name(void)                                    \
    {                                                                           \
        uint16_t v;                                                             \
                                                                                \
        __asm__ volatile ("movw %%" #name ", %0" : "=r" (v));                   \
        return v;                                                               \
    }

ASM_SEGMENT(cs)
ASM_SEGMENT(ss)
ASM_SEGMENT(ds)
ASM_SEGMENT(es)
ASM_SEGMENT(fs)
ASM_SEGMENT(gs)

#undef ASM_SEGMENT

/* ---- MSR numbers ---- */

#define MSR_APIC_BASE        0x1bu
#define MSR_MTRRCAP          0xfeu
#define MSR_SYSENTER_CS      0x174u
#define MSR_SYSENTER_ESP     0x175u
#define MSR_SYSENTER_EIP     0x176u
#define MSR_PAT              0x277u
#define MSR_TSC_DEADLINE     0x6e0u
#define MSR_X2APIC           0x800u      /* plus the register's offset / 16 */
#define MSR_EFER             0xc0000080u
#define MSR_STAR             0xc0000081u
#define MSR_LSTAR            0xc0000082u
#define MSR_CSTAR            0xc0000083u
#define MSR_SFMASK           0xc0000084u
#define MSR_FS_BASE          0xc0000100u
#define MSR_GS_BASE          0xc0000101u
#define MSR_KERNEL_GS_BASE   0xc0000102u
#define MSR_TSC_AUX          0xc0000103u

#endif
