/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that only ring 0 may execute, used by the guest kernel and done by the hypervisor. */

#include "trap.h"

#include "event.h"
#include "mm.h"

/* rdmsr; *value is 0 on #GP. Gives "did not fault". */
static bool rdmsr(uint32_t msr, uint64_t *value)
{
    uint32_t lo = 0, hi = 0;

    TRY("rdmsr", : "+a"(lo), "+d"(hi) : "c"(msr));
    *value = (uint64_t)hi << 32 | lo;
    return trap_seen.count == 0;
}

static bool wrmsr(uint32_t msr, uint64_t value)
{
    TRY("wrmsr", : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
    return trap_seen.count == 0;
}

TEST(cpuid_signature)
{
    struct cpuid r = xen_cpuid(0x40000000, 0);

    EXPECT_GE(r.a, 0x40000002);
    EXPECT_EQ(r.b, 0x566e6558);
    EXPECT_EQ(r.c, 0x65584d4d);
    EXPECT_EQ(r.d, 0x4d4d566e);
    obs("max", r.a);
    r = xen_cpuid(0x40000001, 0);
    EXPECT_EQ(r.a, 4 << 16 | 17);
    r = xen_cpuid(0x40000002, 0);
    EXPECT_EQ(r.a, 1);
    EXPECT_EQ(r.b, 0x40000000);
    obs("features", r.c);
    r = xen_cpuid(0x40000003, 0);
    obs("tsc_flags", r.a);
    r = xen_cpuid(0x40000004, 0);
    obs("hvm_leaf", r.a);
    r = xen_cpuid(0x40000005, 0);
    EXPECT_GE(r.b & 0xff, 20);                  /* width of the highest machine address */
}

TEST(cpuid_policy)
{
    struct cpuid one = xen_cpuid(1, 0), seven = xen_cpuid(7, 0), ext = xen_cpuid(0x80000001, 0), r;

    EXPECT(one.c & (1u << 31));                 /* hypervisor */
    EXPECT(one.d & (1u << 24));                 /* FXSR */
    EXPECT(one.d & (1u << 4));                  /* TSC */
    EXPECT(!(one.d & (1u << 3)));               /* PSE */
    EXPECT(!(one.d & (1u << 17)));              /* PSE36 */
    EXPECT(!(one.d & (1u << 13)));              /* PGE */
    EXPECT(!(one.d & (1u << 12)) || is_dom0()); /* MTRR */
    EXPECT(!(one.c & (1u << 17)));              /* PCID */
    EXPECT(!(one.c & (1u << 21)));              /* x2APIC */
    EXPECT(!(one.c & (1u << 24)));              /* TSC deadline */
    EXPECT(!(one.c & (1u << 5)));               /* VMX */
    EXPECT(!(seven.b & (1u << 7)));             /* SMEP */
    EXPECT(!(seven.b & (1u << 20)));            /* SMAP */
    EXPECT(!(seven.b & (1u << 10)));            /* INVPCID */
    EXPECT(!(seven.c & (1u << 3)));             /* PKU */
    EXPECT(!(seven.c & (1u << 2)));             /* UMIP */
    EXPECT(!(seven.c & (1u << 16)));            /* LA57 */
    EXPECT(ext.d & (1u << 29));                 /* LM */
    EXPECT(ext.d & (1u << 20));                 /* NX */
    EXPECT(ext.d & (1u << 11));                 /* SYSCALL */
    EXPECT(!(ext.c & (1u << 2)));               /* SVM */
    EXPECT(!(ext.d & (1u << 26)));              /* 1 GiB pages */
    EXPECT_EQ(one.c >> 27 & 1, one.c >> 26 & 1); /* OSXSAVE and XSAVE: a kernel uses it only if it is on */
    EXPECT_EQ(xen_cpuid(0xa, 0).a, 0);
    obs("leaf1_c", one.c);
    obs("leaf1_d", one.d);
    obs("leaf7_b", seven.b);
    obs("leaf7_c", seven.c);
    obs("leaf7_d", seven.d);
    obs("ext1_c", ext.c);
    obs("ext1_d", ext.d);
    obs("max", xen_cpuid(0, 0).a);
    obs("ext_max", xen_cpuid(0x80000000, 0).a);
    r = xen_cpuid(0xd, 0);
    obs("xsave_low", r.a);
    obs("xsave_size", r.b);
    r = xen_cpuid(0x80000008, 0);
    obs("address_sizes", r.a);
    EXPECT_EQ((r.a >> 8) & 0xff, 48);
}

/* The prefix is five bytes and the instruction two: the hypervisor steps over all seven. */
TEST(prefix_needs_cpuid)
{
    trap_forget();
    __asm__ volatile(".globl at_prefix\n"
                     "at_prefix: 1: .byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x90, 0x90\n2:\n" FIXUP);
    EXPECT_EQ(trap_vector(), 6);
    EXPECT_EQ(trap_seen.regs.rip, ({ extern char at_prefix[]; U(at_prefix); }));
}

TEST(plain_cpuid)
{
    uint32_t a = 0, b, c = 0, d;

    TRY("cpuid", : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_NE(b, 0);
    a = 0x40000000;
    TRY("cpuid", : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    obs("xen_leaf", b == 0x566e6558);
}

TEST(control_registers)
{
    uint64_t v = 0, w;

    TRY("mov %%cr0, %0", : "=r"(v));
    EXPECT_EQ(trap_seen.count, 0);
    obs("cr0", (long)v);
    EXPECT_EQ(v & 0x80000001, 0x80000001);
    TRY("mov %%cr4, %0", : "=r"(v));
    EXPECT_EQ(trap_seen.count, 0);
    obs("cr4", (long)v);
    TRY("mov %0, %%cr4", : : "r"(v));
    EXPECT_EQ(trap_seen.count, 0);
    TRY("mov %0, %%cr4", : : "r"(v | 1UL << 21 | 1 << 20 | 1 << 13));   /* SMAP, SMEP, VMXE */
    obs("cr4_bad_traps", trap_vector());
    TRY("mov %%cr4, %0", : "=r"(w));
    EXPECT_EQ(v, w);
    TRY("mov %%cr3, %0", : "=r"(v));
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(v >> 12, mfn_of(boot_l4()));
    TRY("mov %0, %%cr3", : : "r"(v));
    EXPECT_EQ(trap_seen.count, 0);
    TRY("mov (%%rax), %%rax", : : "a"(SCRATCH + 0x5000) : "memory");
    TRY("mov %%cr2, %0", : "=r"(v));
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(v, SCRATCH + 0x5000);
    TRY("mov %0, %%cr2", : : "r"(0x1234UL));
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(vcpu_info()->arch.cr2, 0x1234);
    TRY("mov %%cr8, %0", : "=r"(v));
    obs("cr8", trap_vector());
    TRY("smsw %0", : "=r"(v));
    EXPECT_EQ(trap_seen.count, 0);
}

TEST(flags_and_idle)
{
    events_on();
    TRY("cli", : :);
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(vcpu_info()->evtchn_upcall_mask, 0);      /* cli does nothing */
    events_off();
    TRY("sti", : :);
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(vcpu_info()->evtchn_upcall_mask, 1);
    TRY("invlpg (%0)", : : "r"(&shared_info));
    EXPECT_EQ(trap_vector(), 13);                       /* not emulated: there is a hypercall for it */
    TRY("wbinvd", : :);
    obs("wbinvd", trap_vector());
    TRY("invd", : :);
    obs("invd", trap_vector());
    TRY("rdpmc", : : "c"(0) : "eax", "edx");
    obs("rdpmc", trap_vector());
    TRY("pause; lfence; mfence; clflush (%0)", : : "r"(&shared_info));
    EXPECT_EQ(trap_seen.count, 0);
    TRY("swapgs", : :);
    obs("swapgs", trap_vector());
    TRY("lgdt (%0)", : : "r"(&shared_info));
    EXPECT_EQ(trap_vector(), 13);
    TRY("ltr %%ax", : : "a"(0xe040));
    EXPECT_EQ(trap_vector(), 13);
    TRY("clac", : :);
    EXPECT_EQ(trap_vector(), 6);
    TRY("vmmcall", : :);
    obs("vmmcall", trap_vector());
    TRY("monitor", : : "a"(&shared_info), "c"(0), "d"(0));
    EXPECT_EQ(trap_vector(), 6);
}

TEST(descriptor_stores)
{
    struct { char b[10]; } table;
    uint64_t v = 0;

    TRY("sgdt %0", : "=m"(table));
    obs("sgdt", trap_vector());
    TRY("sidt %0", : "=m"(table));
    obs("sidt", trap_vector());
    TRY("sldt %0", : "=r"(v));
    obs("sldt", trap_vector());
    TRY("str %0", : "=r"(v));
    obs("str", trap_vector());
}

TEST(msr_bases)
{
    static uint64_t value = 0x2718;
    uint64_t v;

    EXPECT(wrmsr(0xc0000100, U(&value)));               /* FS_BASE */
    __asm__ volatile("mov %%fs:0, %0" : "=r"(v));
    EXPECT_EQ(v, 0x2718);
    EXPECT(rdmsr(0xc0000100, &v));
    EXPECT_EQ(v, U(&value));
    EXPECT(wrmsr(0xc0000101, U(&value)));               /* GS_BASE */
    EXPECT(rdmsr(0xc0000101, &v));
    EXPECT_EQ(v, U(&value));
    EXPECT(wrmsr(0xc0000102, 0x4444));                  /* KERNEL_GS_BASE: the user's */
    EXPECT(rdmsr(0xc0000102, &v));
    EXPECT_EQ(v, 0x4444);
    EXPECT(!wrmsr(0xc0000101, 0x8000000000000000));
    EXPECT_EQ(trap_vector(), 13);
    EXPECT(!wrmsr(0xc0000100, 0x8000000000000000));
    EXPECT(!wrmsr(0xc0000102, 0x8000000000000000));
    EXPECT(wrmsr(0xc0000100, 0));
}

TEST(msr_others)
{
    static const struct { uint32_t msr; const char *name; } list[] = {
        { 0x10, "tsc" }, { 0x1b, "apic_base" }, { 0x8b, "ucode" }, { 0x277, "pat" }, { 0x174, "sysenter_cs" },
        { 0x175, "sysenter_esp" }, { 0x179, "mcg_cap" }, { 0x17a, "mcg_status" }, { 0x400, "mc0_ctl" },
        { 0x401, "mc0_status" }, { 0xfe, "mtrr_cap" }, { 0x2ff, "mtrr_def" }, { 0x200, "mtrr_base0" },
        { 0x3a, "feature_control" }, { 0xce, "platform_info" }, { 0x10a, "arch_capabilities" },
        { 0x140, "misc_features" }, { 0x1a0, "misc_enable" }, { 0x48, "spec_ctrl" }, { 0x1d9, "debugctl" },
        { 0xc0000080, "efer" }, { 0xc0000081, "star" }, { 0xc0000082, "lstar" }, { 0xc0000084, "sfmask" },
        { 0xc0000103, "tsc_aux" }, { 0xc0010000, "perfevtsel0" }, { 0xc0010004, "perfctr0" },
        { 0xc0010010, "syscfg" }, { 0xc0010015, "hwcr" }, { 0xc001001f, "nb_cfg" }, { 0xc0010058,
                "mmio_cfg" },
        { 0xc0010140, "osvw_len" }, { 0xc0011020, "ls_cfg" }, { 0xc0011029, "de_cfg" }, { 0x40000000,
                "hypercall" },
        { 0x800, "x2apic" }, { 0xda0, "xss" }, { 0x12345678, "none" },
    };
    uint64_t v;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        bool ok = rdmsr(list[i].msr, &v);

        if (!ok)
            EXPECT_EQ(trap_vector(), 13);
        obs(list[i].name, ok);
    }
    EXPECT(rdmsr(0xc0000080, &v));
    obs("efer_value", (long)v);
    EXPECT(rdmsr(0x277, &v));
    obs("pat_value", (long)v);
    EXPECT(!rdmsr(0x12345678, &v));
    EXPECT(!wrmsr(0x12345678, 0));
}

TEST(msr_writes)
{
    static const struct { uint32_t msr; uint64_t value; const char *name; } list[] = {
        { 0x10, 0, "tsc" }, { 0x1b, 0xfee00900, "apic_base" }, { 0x8b, 0, "ucode" },
        { 0x277, 0x0007040600070406, "pat" }, { 0x17a, 0, "mcg_status" }, { 0x174, 0, "sysenter_cs" },
        { 0xc0000080, 0xd01, "efer" }, { 0xc0000082, 0, "lstar" }, { 0xc0000103, 0, "tsc_aux" },
        { 0xc0010015, 0, "hwcr" }, { 0x1a0, 0, "misc_enable" }, { 0x1d9, 0, "debugctl" }, { 0x48, 0,
                "spec_ctrl" },
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++)
        obs(list[i].name, wrmsr(list[i].msr, list[i].value));
}

/* Programs see OSXSAVE in the CPU, and so the dynamic linker saves with XSAVE what a function is given. */
TEST(xsave_before_xsetbv)
{
    static _Alignas(64) uint8_t area[4096];
    const uint64_t before = 0x0123456789abcdef;
    uint64_t after = 0;

    TRY("movq %1, %%xmm0; xsave64 %2; pxor %%xmm0, %%xmm0; xrstor64 %2; movq %%xmm0, %0",
        : "=r"(after) : "r"(before), "m"(area), "a"(~0u), "d"(~0u) : "memory");
    if (!trap_seen.count)
        EXPECT_EQ(after, before);
}

TEST(xsetbv)
{
    uint64_t cr4;
    uint32_t a, d;

    TRY("mov %%cr4, %0", : "=r"(cr4));
    TRY("mov %0, %%cr4", : : "r"(cr4 & ~(1UL << 18)));
    TRY("xsetbv", : : "a"(3), "d"(0), "c"(0));
    EXPECT_EQ(trap_vector(), 6);                                /* not before CR4.OSXSAVE */
    TRY("mov %0, %%cr4", : : "r"(cr4 | 1 << 18));
    EXPECT_EQ(trap_seen.count, 0);
    TRY("xsetbv", : : "a"(3), "d"(0), "c"(0));
    EXPECT_EQ(trap_seen.count, 0);
    TRY("xgetbv", : "=a"(a), "=d"(d) : "c"(0));
    EXPECT_EQ(trap_seen.count, 0);
    EXPECT_EQ(a, 3);
    TRY("xsetbv", : : "a"(2), "d"(0), "c"(0));                  /* without x87: refused */
    EXPECT_EQ(trap_vector(), 13);
    TRY("xsetbv", : : "a"(3), "d"(0x80000000), "c"(0));
    EXPECT_EQ(trap_vector(), 13);
    TRY("xsetbv", : : "a"(3), "d"(0), "c"(1));
    EXPECT_EQ(trap_vector(), 13);
    TRY("xsetbv", : : "a"(7), "d"(0), "c"(0));
    EXPECT_EQ(trap_seen.count, 0);
    TRY("xgetbv", : "=a"(a), "=d"(d) : "c"(0));
    EXPECT_EQ(a, 7);
}

TEST(timestamps)
{
    uint64_t a = rdtsc(), b;
    uint32_t lo, hi, aux;

    TRY("rdtscp", : "=a"(lo), "=d"(hi), "=c"(aux));
    obs("rdtscp", trap_vector());
    b = rdtsc();
    EXPECT(b > a);
}
