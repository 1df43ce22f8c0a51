/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID policies on invented CPUs: an EPYC as QEMU shows it, an Intel server, this one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <cpuid.h>
#include <dlfcn.h>
#include <string.h>

#include "lib/errno.h"
#include "lib/types.h"
#include "x86/model/cpuid.h"

#include <xen/arch-x86/cpufeatureset.h>
#include <xen/arch-x86/cpuid.h>

#define F(name) XEN_X86_FEATURE_##name
#define NONE XEN_CPUID_NO_SUBLEAF

struct fact { uint32_t leaf, subleaf; struct cpuid_leaf v; };

static const struct fact epyc[] = {
    { 0, 0, { 0xd, 0x68747541, 0x444d4163, 0x69746e65 } },
    { 1, 0, { 0x00800f12, 0x01020800, 0xfed8320b, 0x178bfbff } },
    { 7, 0, { 0, 0x209c01a9, 0, 0 } },
    { 0xd, 0, { 7, 0x340, 0x340, 0 } },
    { 0xd, 1, { 7, 0x340, 0, 0 } },
    { 0xd, 2, { 0x100, 0x240, 0, 0 } },
    { 0x80000000, 0, { 0x8000001e, 0x68747541, 0x444d4163, 0x69746e65 } },
    { 0x80000001, 0, { 0x00800f12, 0, 0x004003f7, 0x2fd3fbff } },
    { 0x80000002, 0, { 0x20444d41, 0x43595045, 0x6f725020, 0x73736563 } },
    { 0x80000007, 0, { 0, 0, 0, 0x100 } },
    { 0x80000008, 0, { 0x3028, 0x1000, 0x2001, 0 } },
    { 0x8000000a, 0, { 1, 16, 0, 1 } },
    { 0x8000001e, 0, { 1, 0, 0, 0 } },
};

static const struct fact xeon[] = {
    { 0, 0, { 0x16, 0x756e6547, 0x6c65746e, 0x49656e69 } },
    { 1, 0, { 0x00050657, 0x00100800, 0x7ffefbff, 0xbfebfbff } },
    { 2, 0, { 0x76036301, 0x00f0b5ff, 0, 0x00c30000 } },
    { 4, 0, { 0x1c004121, 0x01c0003f, 63, 0 } },
    { 4, 1, { 0x1c004122, 0x01c0003f, 63, 0 } },
    { 4, 2, { 0x1c004143, 0x03c0003f, 1023, 0 } },
    { 5, 0, { 0x40, 0x40, 3, 0x2020 } },
    { 6, 0, { 0xef7, 2, 9, 0 } },
    { 7, 0, { 2, 0xd39ffffb, 0x00000818, 0xbc000400 } },
    { 7, 1, { 0x30, 0, 0, 0 } },
    { 7, 2, { 0, 0, 0, 0x3f } },
    { 0xa, 0, { 0x07300404, 0, 0, 0x603 } },
    { 0xb, 0, { 1, 2, 0x100, 0 } },
    { 0xb, 1, { 5, 16, 0x201, 0 } },
    { 0xd, 0, { 0x2ff, 0xa80, 0xa80, 0 } },
    { 0xd, 1, { 0xf, 0xa08, 0x100, 0 } },
    { 0xd, 2, { 0x100, 0x240, 0, 0 } },
    { 0xd, 3, { 0x40, 0x3c0, 0, 0 } },
    { 0xd, 5, { 0x40, 0x440, 0, 0 } },
    { 0xd, 6, { 0x200, 0x480, 0, 0 } },
    { 0xd, 7, { 0x400, 0x680, 0, 0 } },
    { 0xd, 9, { 8, 0xa80, 0, 0 } },
    { 0x80000000, 0, { 0x80000008, 0, 0, 0 } },
    { 0x80000001, 0, { 0, 0, 0x121, 0x2c100800 } },
    { 0x80000007, 0, { 0, 0, 0, 0x100 } },
    { 0x80000008, 0, { 0x302e, 0, 0, 0 } },
};

static const struct fact *cpu;
static unsigned int cpu_facts;

static void fake_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
    unsigned int n;

    *out = (struct cpuid_leaf){ 0 };
    for (n = 0; n < cpu_facts; n++)
        if (cpu[n].leaf == leaf && cpu[n].subleaf == subleaf)
            *out = cpu[n].v;
}

static void real_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
    __cpuid_count(leaf, subleaf, out->a, out->b, out->c, out->d);
}

static bool fake_msr(uint32_t msr, uint64_t *val)
{
    *val = msr == 0x10a ? 0x0c000000000000ab : 1u << 31;
    return true;
}

static struct cpu_policies all;
static const struct cpu_policy *const pv = &all.of[CPU_POLICY_PV_DEFAULT];
static const struct cpu_policy *const pv_max = &all.of[CPU_POLICY_PV_MAX];

static int on_epyc(void **state)
{
    cpu = epyc;
    cpu_facts = ARRAY_SIZE(epyc);
    cpu_policies_init(&all, &(struct cpu_host){ fake_cpuid, fake_msr });
    return 0;
}

static int on_xeon(void **state)
{
    cpu = xeon;
    cpu_facts = ARRAY_SIZE(xeon);
    cpu_policies_init(&all, &(struct cpu_host){ fake_cpuid, fake_msr });
    return 0;
}

static int on_this_cpu(void **state)
{
    cpu_policies_init(&all, &(struct cpu_host){ real_cpuid, fake_msr });
    return 0;
}

/* What every policy keeps, whatever the CPU or the toolstack. */
static void check_sound(const struct cpu_policy *p)
{
    unsigned int n;

    assert_true(p->nr <= CPU_POLICY_MAX_LEAVES);
    for (n = 1; n < p->nr; n++) {
        const xen_cpuid_leaf_t *a = &p->leaf[n - 1], *b = &p->leaf[n];

        assert_true(a->leaf < b->leaf || (a->leaf == b->leaf && a->subleaf < b->subleaf));
    }
}

static void check_within(const struct cpu_policy *p, const struct cpu_policy *max)
{
    uint32_t a[CPU_FEATURE_WORDS], b[CPU_FEATURE_WORDS];
    unsigned int w;

    cpu_policy_features(p, a);
    cpu_policy_features(max, b);
    b[1] |= 1u << 31;       /* HYPERVISOR is there even if the host runs on bare metal */
    for (w = 0; w < CPU_FEATURE_WORDS; w++)
        assert_int_equal(a[w] & ~b[w], 0);
    assert_int_equal(cpu_policy_xcr0(p) & ~cpu_policy_xcr0(max), 0);
}

/* The list that xl and libxl were seen to get from an EPYC: 49 leaves. */
static void the_epyc_list(void **state)
{
    static const uint32_t want[][2] = {
        { 0, NONE }, { 1, NONE }, { 2, NONE }, { 3, NONE }, { 4, 0 }, { 5, NONE }, { 6, NONE }, { 7, 0 },
        { 8, NONE }, { 9, NONE }, { 0xa, NONE }, { 0xb, 0 }, { 0xc, NONE }, { 0xd, 0 }, { 0xd, 1 },
        { 0xd, 2 }, { 0x40000000, NONE }, { 0x40000100, NONE },
    };
    xen_msr_entry_t msrs[CPU_POLICY_MAX_MSRS];
    unsigned int n;

    assert_int_equal(pv->nr, 49);
    for (n = 0; n < ARRAY_SIZE(want); n++) {
        assert_int_equal(pv->leaf[n].leaf, want[n][0]);
        assert_int_equal(pv->leaf[n].subleaf, want[n][1]);
    }
    for (; n < pv->nr; n++) {
        assert_int_equal(pv->leaf[n].leaf, 0x80000000 + n - ARRAY_SIZE(want));
        assert_int_equal(pv->leaf[n].subleaf, NONE);
    }
    cpu_policy_msrs(pv, msrs);
    assert_int_equal(msrs[0].idx, 0xce);
    assert_int_equal(msrs[1].idx, 0x10a);
    assert_int_equal(msrs[0].flags | msrs[1].flags, 0);
}

static void pv_guests_see_no_paging_or_ring_0_features(void **state)
{
    static const uint16_t hidden[] = {
        F(PSE), F(PSE36), F(PGE), F(VME), F(MTRR), F(MONITOR), F(VMX), F(SVM), F(X2APIC), F(TSC_DEADLINE),
        F(DS), F(DTES64), F(PDCM), F(PAGE1GB), F(SMEP), F(SMAP), F(UMIP), F(PKU), F(PCID), F(INVPCID),
        F(CET_SS), F(CET_IBT), F(XSAVES), F(TM1), F(OSXSAVE), F(TOPOEXT),
    };
    static const uint16_t shown[] = {
        F(SYSCALL), F(NX), F(LM), F(CX16), F(FXSR), F(SSE2), F(XSAVE), F(TSC), F(HYPERVISOR), F(PAT), F(AVX2),
        F(PAE), F(MSR), F(CX8),
    };
    unsigned int n;

    for (n = 0; n < ARRAY_SIZE(hidden); n++) {
        assert_false(cpu_policy_has(pv, hidden[n]));
        assert_false(cpu_policy_has(pv_max, hidden[n]));
    }
    for (n = 0; n < ARRAY_SIZE(shown); n++)
        assert_true(cpu_policy_has(pv, shown[n]));
    /* Linux would emulate more if it had it; guests of other hypervisors come with it. */
    assert_false(cpu_policy_has(pv, F(FSGSBASE)));
    assert_true(cpu_policy_has(pv_max, F(FSGSBASE)));
}

static void data_leaves_are_hidden(void **state)
{
    static const uint32_t zero[] = { 3, 5, 6, 9, 0xa, 0xb, 0x8000000a, 0x8000001e, 0x8000001f };
    unsigned int n;

    for (n = 0; n < ARRAY_SIZE(zero); n++) {
        struct cpuid_leaf l = cpu_policy_leaf(pv, zero[n], 0);

        assert_int_equal(l.a | l.b | l.c | l.d, 0);
    }
    assert_int_equal(cpu_policy_leaf(pv, 1, 0).b >> 24, 0);
}

static void policies_are_within_each_other(void **state)
{
    unsigned int n;

    for (n = 0; n < CPU_POLICIES; n++) {
        check_sound(&all.of[n]);
        if (n != CPU_POLICY_RAW)
            check_within(&all.of[n], &all.of[CPU_POLICY_HOST]);
    }
    check_within(pv, pv_max);
    check_within(&all.of[CPU_POLICY_HVM_DEFAULT], &all.of[CPU_POLICY_HVM_MAX]);
}

static void dom0_sees_an_apic_domu_does_not(void **state)
{
    struct cpu_policy dom0;

    cpu_policy_dom0(&dom0, &all);
    assert_true(cpu_policy_has(&dom0, F(APIC)));
    assert_false(cpu_policy_has(pv, F(APIC)));
    check_within(&dom0, pv_max);
}

static void amd_repeats_its_common_bits(void **state)
{
    uint32_t d1 = cpu_policy_leaf(pv, 1, 0).d, e1d = cpu_policy_leaf(pv, 0x80000001, 0).d;

    assert_int_equal(e1d & 0x0183f3ff, d1 & 0x0183f3ff);
}

static void intel_does_not(void **state)
{
    assert_int_equal(cpu_policy_leaf(pv, 0x80000001, 0).d & 0x0183f3ff, 0);
}

static void intel_leaves(void **state)
{
    assert_int_equal(cpu_policy_leaf(pv, 0, 0).a, 0xd);
    assert_int_equal(cpu_policy_leaf(pv, 4, 2).c, 1023);
    assert_non_null(cpu_policy_find(pv, 4, 3));              /* "no more caches" is listed */
    assert_null(cpu_policy_find(pv, 4, 4));
    assert_non_null(cpu_policy_find(pv, 7, 2));
    assert_non_null(cpu_policy_find(&all.of[CPU_POLICY_HOST], 0xd, 9));
    assert_null(cpu_policy_find(&all.of[CPU_POLICY_HOST], 0xd, 10));
    assert_null(cpu_policy_find(pv, 0xd, 9));
    assert_int_equal(cpu_policy_xcr0(pv), 0xe7);
    assert_int_equal(cpu_policy_leaf(pv, 0xd, 3).a, 0);      /* MPX */
    assert_int_equal(cpu_policy_leaf(pv, 7, 0).a, 2);
}

static void featuresets_and_hw_cap(void **state)
{
    uint32_t words[CPU_FEATURE_WORDS], cap[CPU_HW_CAP_WORDS];

    cpu_policy_features(&all.of[CPU_POLICY_HOST], words);
    cpu_policy_hw_cap(&all.of[CPU_POLICY_HOST], cap);
    assert_memory_equal(cap, words, sizeof(cap));
    assert_int_equal(cap[0], 0xbfebfbff);
    assert_int_equal(cap[1], 0x7ffefbff);
    assert_int_equal(cap[2], 0x2c100800);
    assert_int_equal(cap[3], 0x121);
    assert_int_equal(cap[4], 0xf);
    assert_int_equal(cap[5], 0xd39ffffb);
    assert_int_equal(cap[6], 0x818);
    assert_int_equal(cap[7], 0x100);
    assert_int_equal(words[9], 0xbc000400);
    assert_int_equal(words[10], 0x30);
    assert_int_equal(words[13], 0x3f);
    assert_int_equal(words[16], 0xab);
    assert_int_equal(words[17], 0x0c000000);
}

/* ---- The toolstack's part ---- */

static int update(struct cpu_policy *p, const xen_cpuid_leaf_t *leaves, unsigned int n,
                  struct cpu_policy_error *err)
{
    return cpu_policy_update(p, pv_max, leaves, n, NULL, 0, err);
}

static void its_own_policy_is_accepted_back(void **state)
{
    struct cpu_policy p = *pv;
    struct cpu_policy_error err;
    xen_msr_entry_t msrs[CPU_POLICY_MAX_MSRS];

    cpu_policy_msrs(pv, msrs);
    assert_int_equal(cpu_policy_update(&p, pv_max, pv->leaf, pv->nr, msrs, 2, &err), 0);
    assert_memory_equal(&p, pv, sizeof(p));
    assert_int_equal(cpu_policy_update(&p, pv_max, pv_max->leaf, pv_max->nr, NULL, 0, &err), 0);
    check_within(&p, pv_max);
    assert_true(err.leaf == ~0u && err.subleaf == ~0u && err.msr == ~0u);
}

/* libxc copies HTT and CMP_LEGACY of the host into every PV policy. */
static void host_topology_bits_are_accepted(void **state)
{
    struct cpu_policy p = *pv;
    struct cpu_policy_error err;
    xen_cpuid_leaf_t l[2] = { *cpu_policy_find(pv, 1, 0), *cpu_policy_find(pv, 0x80000001, 0) };

    l[0].d |= cpu_policy_leaf(&all.of[CPU_POLICY_HOST], 1, 0).d & 1u << (F(HTT) % 32);
    l[1].c |= cpu_policy_leaf(&all.of[CPU_POLICY_HOST], 0x80000001, 0).c & 1u << (F(CMP_LEGACY) % 32);
    assert_int_equal(update(&p, l, 2, &err), 0);
}

static void too_much_is_refused_and_named(void **state)
{
    static const struct { xen_cpuid_leaf_t l; int rc; } bad[] = {
        { { 1, NONE, 0, 0, 0, 1u << 3 }, -EINVAL },                      /* PSE */
        { { 7, 0, 0, 1u << 20, 0, 0 }, -EINVAL },                        /* SMAP */
        { { 0xd, 0, 0x207, 0, 0, 0 }, -EINVAL },                         /* PKRU */
        { { 0xd, 1, 8, 0, 0, 0 }, -EINVAL },                             /* XSAVES */
        { { 0, NONE, 0x16, 0, 0, 0 }, -EINVAL },
        { { 0x80000000, NONE, 0x80000022, 0, 0, 0 }, -EINVAL },
        { { 0x80000001, NONE, 0, 0, 4, 0 }, -EINVAL },                   /* SVM */
        { { 0xe, NONE, 0, 0, 0, 0 }, -ERANGE },
        { { 0x40000001, NONE, 0, 0, 0, 0 }, -ERANGE },
        { { 0x80000022, NONE, 0, 0, 0, 0 }, -ERANGE },
        { { 1, 0, 0, 0, 0, 0 }, -ERANGE },                               /* it has no subleaves */
        { { 7, NONE, 0, 0, 0, 0 }, -ERANGE },
        { { 4, 6, 0, 0, 0, 0 }, -ERANGE },
        { { 0xd, 63, 0, 0, 0, 0 }, -ERANGE },
    };
    unsigned int n;

    for (n = 0; n < ARRAY_SIZE(bad); n++) {
        struct cpu_policy p = *pv;
        struct cpu_policy_error err;
        xen_cpuid_leaf_t two[2] = { { 2, NONE, 1, 2, 3, 4 }, bad[n].l };

        assert_int_equal(update(&p, two, 2, &err), bad[n].rc);
        assert_int_equal(err.leaf, bad[n].l.leaf);
        assert_int_equal(err.subleaf, bad[n].l.subleaf);
        assert_int_equal(err.msr, ~0u);
        assert_memory_equal(&p, pv, sizeof(p));     /* leaf 2 was not taken either */
    }
}

static void bad_msrs_are_refused(void **state)
{
    static const struct { xen_msr_entry_t m; int rc; } bad[] = {
        { { 0x10, 0, 0 }, -ERANGE }, { { 0xce, 1, 0 }, -EINVAL }, { { 0x10a, 0, 1 }, -EINVAL },
        { { 0xce, 0, 1u << 31 }, -EINVAL },
    };
    struct cpu_policy p = *pv;
    struct cpu_policy_error err;
    unsigned int n;

    for (n = 0; n < ARRAY_SIZE(bad); n++) {
        assert_int_equal(cpu_policy_update(&p, pv_max, NULL, 0, &bad[n].m, 1, &err), bad[n].rc);
        assert_int_equal(err.msr, bad[n].m.idx);
        assert_int_equal(err.leaf, ~0u);
    }
    assert_memory_equal(&p, pv, sizeof(p));
}

static void less_is_accepted(void **state)
{
    struct cpu_policy p = *pv;
    struct cpu_policy_error err;
    xen_cpuid_leaf_t l = *cpu_policy_find(pv, 1, 0);

    l.c &= ~(1u << (F(XSAVE) % 32));
    assert_int_equal(update(&p, &l, 1, &err), 0);
    assert_false(cpu_policy_has(&p, F(AVX)));       /* settled */
    assert_false(cpu_policy_has(&p, F(AVX2)));
    assert_false(cpu_policy_has(&p, F(XSAVEOPT)));
    assert_int_equal(cpu_policy_xcr0(&p), 0);
    l.c &= ~(1u << 31);
    assert_int_equal(update(&p, &l, 1, &err), 0);
    assert_true(cpu_policy_has(&p, F(HYPERVISOR)));
}

/* Leaves that the host has not: in their place if the policy as a whole has a use for them. */
static void new_leaves_are_sorted_in(void **state)
{
    struct cpu_policy p = *pv;
    struct cpu_policy_error err;
    const xen_cpuid_leaf_t l[] = { { 0xd, 40, 0, 0, 0, 0 }, { 4, 1, 0x42, 1, 2, 3 }, { 4, 3, 0x43, 1, 2, 3 },
                                   { 4, 0, 0x21, 0, 0, 0 }, { 7, 1, 0, 0, 0, 0 } };

    assert_int_equal(update(&p, l, ARRAY_SIZE(l), &err), 0);
    assert_int_equal(p.nr, 50);
    assert_int_equal(cpu_policy_leaf(&p, 4, 1).c, 2);
    assert_null(cpu_policy_find(&p, 4, 3));     /* nothing leads to it */
    assert_null(cpu_policy_find(&p, 7, 1));
    assert_null(cpu_policy_find(&p, 0xd, 40));
    check_sound(&p);
}

/* Bits that follow the running guest, or that AMD repeats: in any policy, never refused. */
static void dynamic_bits_are_tolerated(void **state)
{
    const struct cpuid_leaf l7 = cpu_policy_leaf(pv, 7, 0), le = cpu_policy_leaf(pv, 0x80000001, 0);
    const struct cpuid_leaf l1 = cpu_policy_leaf(pv, 1, 0);
    const xen_cpuid_leaf_t l[] = {
        { 1, NONE, l1.a, l1.b, l1.c | 1u << (F(OSXSAVE) % 32), l1.d },
        { 7, 0, l7.a, l7.b, l7.c | 1u << (F(OSPKE) % 32), l7.d },
        { 0x80000001, NONE, le.a, le.b, le.c, le.d | 1u << 3 },     /* PSE, as AMD repeats it */
    };
    struct cpu_policy p = *pv;
    struct cpu_policy_error err;

    assert_int_equal(update(&p, l, ARRAY_SIZE(l), &err), 0);
    assert_memory_equal(&p, pv, sizeof(p));
}

static void fewer_components_mean_fewer_features(void **state)
{
    struct cpu_policy p = *pv;
    struct cpu_policy_error err;
    xen_cpuid_leaf_t l = *cpu_policy_find(pv, 0xd, 0);

    l.a = 7;
    assert_int_equal(update(&p, &l, 1, &err), 0);
    assert_false(cpu_policy_has(&p, F(AVX512F)) || cpu_policy_has(&p, F(AVX512BW)));
    assert_true(cpu_policy_has(&p, F(AVX2)));
    l.a = 3;
    assert_int_equal(update(&p, &l, 1, &err), 0);
    assert_false(cpu_policy_has(&p, F(AVX)) || cpu_policy_has(&p, F(AVX2)));
    assert_true(cpu_policy_has(&p, F(XSAVE)));
    l.a = 1;
    assert_int_equal(update(&p, &l, 1, &err), 0);
    assert_false(cpu_policy_has(&p, F(XSAVE)));
    assert_int_equal(cpu_policy_xcr0(&p), 0);
}

/* The toolstack's own library takes every policy, and would list exactly the same leaves. */
static void libxc_agrees(void **state)
{
    void *lib = dlopen("libxenguest.so.4.17", RTLD_NOW);
    int (*from)(void *, const xen_cpuid_leaf_t *, uint32_t, uint32_t *, uint32_t *);
    int (*to)(const void *, xen_cpuid_leaf_t *, uint32_t *);
    static uint64_t opaque[8192];
    static xen_cpuid_leaf_t back[CPU_POLICY_MAX_LEAVES];
    unsigned int n;

    if (!lib)
        fail_msg("libxenguest.so.4.17 is missing: apt-get install libxenmisc4.17");
    *(void **)&from = dlsym(lib, "x86_cpuid_copy_from_buffer");
    *(void **)&to = dlsym(lib, "x86_cpuid_copy_to_buffer");
    assert_true(from && to);
    for (n = 0; n < CPU_POLICIES; n++) {
        const struct cpu_policy *p = &all.of[n];
        uint32_t leaf, subleaf, nr = ARRAY_SIZE(back);

        memset(opaque, 0, sizeof(opaque));
        assert_int_equal(from(opaque, p->leaf, p->nr, &leaf, &subleaf), 0);
        assert_int_equal(to(opaque, back, &nr), 0);
        assert_int_equal(nr, p->nr);
        assert_memory_equal(back, p->leaf, nr * sizeof(back[0]));
    }
    dlclose(lib);
}

static void random_updates_stay_within_bounds(void **state)
{
    uint64_t x = 88172645463325252ull;
    struct cpu_policy p = *pv;
    struct cpu_policy_error err;
    unsigned int n, taken = 0;

    for (n = 0; n < 200000; n++) {
        static const uint32_t base[] = { 0, 0, 0x40000000, 0x80000000 };
        xen_cpuid_leaf_t l;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        l = (xen_cpuid_leaf_t){ base[x & 3] + (x >> 2 & 0x1f), x & 128 ? NONE : x >> 8 & 3,
                                x >> 10 & x, x >> 20 & x >> 3, x >> 32 & x, x >> 30 & x >> 7 };
        if (x >> 60 & 1)
            l.a = l.b = l.c = l.d = 0;
        taken += update(&p, &l, 1, &err) == 0;
        if (n % 1000 == 0) {
            check_sound(&p);
            check_within(&p, pv_max);
        }
    }
    assert_true(taken > 1000);
}

/* ---- What a guest sees ---- */

static void hypervisor_leaves(void **state)
{
    struct cpuid_env env = { .maddr_bits = 40, .guest_khz = 2500000, .host_khz = 2600000, .tsc_mode = 2,
                             .tsc_incarnation = 3, .tsc_reliable = true, .tsc_offset = 0x100000002,
                             .tsc_mul = 5, .tsc_shift = -1 };
    struct cpuid_leaf l;

    cpuid_guest(pv, &env, 0x40000000, 0, &l);
    assert_true(l.a >= 0x40000005);
    assert_memory_equal(&l.b, "XenVMMXenVMM", 12);
    cpuid_guest(pv, &env, 0x40000001, 0, &l);
    assert_int_equal(l.a, 0x40011);
    cpuid_guest(pv, &env, 0x40000002, 0, &l);
    assert_int_equal(l.a, 1);
    assert_int_equal(l.c, XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD);
    cpuid_guest(pv, &env, 0x40000003, 0, &l);
    assert_int_equal(l.a, 2 | 4);
    assert_int_equal(l.b, 2);
    assert_int_equal(l.c, 2500000);
    assert_int_equal(l.d, 3);
    cpuid_guest(pv, &env, 0x40000003, 1, &l);
    assert_int_equal(l.a, 2);
    assert_int_equal(l.b, 1);
    assert_int_equal(l.c, 5);
    assert_int_equal(l.d, 0xffffffff);
    cpuid_guest(pv, &env, 0x40000003, 2, &l);
    assert_int_equal(l.a, 2600000);
    cpuid_guest(pv, &env, 0x40000004, 0, &l);
    assert_int_equal(l.a | l.b | l.c | l.d, 0);
    cpuid_guest(pv, &env, 0x40000005, 0, &l);
    assert_int_equal(l.b, 40);
    cpuid_guest(pv, &env, 0x40000100, 0, &l);
    assert_int_equal(l.a | l.b | l.c | l.d, 0);
}

static void dynamic_fields(void **state)
{
    struct cpuid_env env = { .xcr0 = 3 };
    struct cpuid_leaf l;

    cpuid_guest(pv, &env, 1, 0, &l);
    assert_int_equal(l.b >> 24, 0);
    assert_false(l.c >> (F(OSXSAVE) % 32) & 1);
    env.osxsave = true;
    cpuid_guest(pv, &env, 1, 5, &l);
    assert_true(l.c >> (F(OSXSAVE) % 32) & 1);
    assert_int_equal(l.a, 0x00050657);
    cpuid_guest(pv, &env, 0xb, 1, &l);
    assert_int_equal(l.b | l.c | l.d, 0);
    cpuid_guest(pv, &env, 0xd, 0, &l);
    assert_int_equal(l.a, 0xe7);
    assert_int_equal(l.b, 576);
    assert_int_equal(l.c, 0xa80);
    env.xcr0 = 7;
    cpuid_guest(pv, &env, 0xd, 0, &l);
    assert_int_equal(l.b, 0x340);
    cpuid_guest(pv, &env, 0xd, 1, &l);
    assert_int_equal(l.a, 7);
    assert_int_equal(l.b, 0x340);
    assert_int_equal(l.c | l.d, 0);
    env.xcr0 = 0x87;                    /* AVX, then ZMM high at its aligned place */
    cpuid_guest(pv, &env, 0xd, 1, &l);
    assert_int_equal(l.b, 0x340 + 0x400);
    cpuid_guest(&all.of[CPU_POLICY_PV_DEFAULT], &env, 0xd, 2, &l);
    assert_int_equal(l.a, 0x100);
    assert_int_equal(l.b, 0x240);
    cpuid_guest(pv, &env, 7, 3, &l);
    assert_int_equal(l.a | l.b | l.c | l.d, 0);
    cpuid_guest(pv, &env, 0x16, 0, &l);
    assert_int_equal(l.a | l.b | l.c | l.d, 0);
    cpuid_guest(pv, &env, 0x80000009, 0, &l);
    assert_int_equal(l.a | l.b | l.c | l.d, 0);
    cpuid_guest(pv, &env, 0xffffffff, 0xffffffff, &l);
    assert_int_equal(l.a | l.b | l.c | l.d, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_epyc_list, on_epyc),
        cmocka_unit_test_setup(pv_guests_see_no_paging_or_ring_0_features, on_epyc),
        cmocka_unit_test_setup(pv_guests_see_no_paging_or_ring_0_features, on_xeon),
        cmocka_unit_test_setup(data_leaves_are_hidden, on_epyc),
        cmocka_unit_test_setup(data_leaves_are_hidden, on_xeon),
        cmocka_unit_test_setup(policies_are_within_each_other, on_epyc),
        cmocka_unit_test_setup(policies_are_within_each_other, on_xeon),
        cmocka_unit_test_setup(policies_are_within_each_other, on_this_cpu),
        cmocka_unit_test_setup(dom0_sees_an_apic_domu_does_not, on_epyc),
        cmocka_unit_test_setup(amd_repeats_its_common_bits, on_epyc),
        cmocka_unit_test_setup(intel_does_not, on_xeon),
        cmocka_unit_test_setup(intel_leaves, on_xeon),
        cmocka_unit_test_setup(featuresets_and_hw_cap, on_xeon),
        cmocka_unit_test_setup(its_own_policy_is_accepted_back, on_epyc),
        cmocka_unit_test_setup(its_own_policy_is_accepted_back, on_xeon),
        cmocka_unit_test_setup(its_own_policy_is_accepted_back, on_this_cpu),
        cmocka_unit_test_setup(host_topology_bits_are_accepted, on_epyc),
        cmocka_unit_test_setup(host_topology_bits_are_accepted, on_xeon),
        cmocka_unit_test_setup(too_much_is_refused_and_named, on_epyc),
        cmocka_unit_test_setup(bad_msrs_are_refused, on_epyc),
        cmocka_unit_test_setup(less_is_accepted, on_epyc),
        cmocka_unit_test_setup(new_leaves_are_sorted_in, on_epyc),
        cmocka_unit_test_setup(dynamic_bits_are_tolerated, on_epyc),
        cmocka_unit_test_setup(fewer_components_mean_fewer_features, on_xeon),
        cmocka_unit_test_setup(libxc_agrees, on_epyc),
        cmocka_unit_test_setup(libxc_agrees, on_xeon),
        cmocka_unit_test_setup(libxc_agrees, on_this_cpu),
        cmocka_unit_test_setup(random_updates_stay_within_bounds, on_xeon),
        cmocka_unit_test_setup(hypervisor_leaves, on_epyc),
        cmocka_unit_test_setup(dynamic_fields, on_xeon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
