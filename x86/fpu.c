/* SPDX-License-Identifier: BSD-2-Clause */
/* FPU, SSE and AVX state. XCR0 is widest while the hypervisor saves and loads, the vCPU's own while it runs. */
#include "x86/fpu.h"

#include "lib/string.h"
#include "x86/asm.h"
#include "x86/model/leaks.h"
#include "x86/traps.h"

#define XCR0_ALLOWED 0xe7ull /* x87, SSE, AVX, AVX-512 */

static bool has_xsave, leaves_pointers;
static uint64_t xcr0_max = 3;
static size_t area_size = 512;

static bool cpu_leaves_pointers(void)
{
    struct cpuid_regs r = cpuid(0, 0);
    bool has_ext = cpuid(0x80000000, 0).eax >= 0x80000008;

    return fxrstor_leaves_pointers(r.ebx, r.ecx, r.edx, has_ext ? cpuid(0x80000008, 0).ebx : 0);
}

void fpu_init_cpu(void)
{
    clts();
    leaves_pointers = cpu_leaves_pointers();
    has_xsave = cpuid(1, 0).ecx & (1u << 26);
    if (has_xsave) {
        struct cpuid_regs r = cpuid(0xd, 0);

        xcr0_max = ((uint64_t)r.edx << 32 | r.eax) & XCR0_ALLOWED;
        xsetbv(0, xcr0_max);
        area_size = cpuid(0xd, 0).ebx;
    }
    __asm__ volatile("fninit");
}

size_t fpu_area_size(void)  { return area_size; }
uint64_t fpu_xcr0_max(void) { return xcr0_max; }

void fpu_area_init(void *area)
{
    memset(area, 0, area_size);
    *(uint16_t *)area = 0x37f;                    /* FCW */
    *(uint32_t *)((char *)area + 24) = 0x1f80;    /* MXCSR */
}

void fpu_set_legacy(void *area, const void *state, size_t n)
{
    memcpy(area, state, n);
    if (has_xsave)
        *(uint64_t *)((char *)area + 512) = 3; /* XSTATE_BV: both are there */
}

void fpu_save(void *area)
{
    if (has_xsave) {
        xsetbv(0, xcr0_max);
        __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
    } else {
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
    }
}

/* The last x87 instruction and operand become ones of ours, the same for all: loading will not replace them. */
static void forget_pointers(void)
{
    static const int32_t zero;

    __asm__ volatile("fnclex; emms; fildl %0" : : "m"(zero));
}

void fpu_load(void *area, uint64_t xcr0)
{
    if (leaves_pointers)
        forget_pointers();
    if (has_xsave)
        xsetbv(0, xcr0_max);
    if (has_xsave ? xrstor_safe(area, ~0ull) : fxrstor_safe(area)) {
        fpu_area_init(area);
        (void)(has_xsave ? xrstor_safe(area, ~0ull) : fxrstor_safe(area));
    }
    if (has_xsave)
        xsetbv(0, xcr0);
}

void fpu_set_xcr0(uint64_t xcr0)
{
    if (has_xsave)
        xsetbv(0, xcr0);
}

void fpu_reset(void)
{
    static const uint32_t mxcsr = 0x1f80;

    __asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
}
