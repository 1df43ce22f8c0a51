/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which CPU features and CPUID fields a guest may see: allow-lists, and nothing else.
 *
 * Feature numbers are the ABI's: word * 32 + bit. A PV guest's kernel runs at CPL 3 on
 * page tables that the hypervisor controls, so whatever changes paging or needs ring 0
 * is not for it; nor are features whose MSRs we do not switch per vCPU.
 */
#include "x86/model/cpuid.h"
#include "lib/types.h"

#include <xen/arch-x86/cpufeatureset.h>

#define F(name) XEN_X86_FEATURE_##name

/* For every guest. */
static const uint16_t for_all[] = {
    F(FPU), F(DE), F(TSC), F(MSR), F(PAE), F(MCE), F(CX8), F(SEP), F(MCA), F(CMOV), F(PAT),
    F(CLFLUSH), F(ACPI), F(MMX), F(FXSR), F(SSE), F(SSE2), F(SS), F(HTT),
    F(SSE3), F(PCLMULQDQ), F(SSSE3), F(FMA), F(CX16), F(SSE4_1), F(SSE4_2), F(MOVBE),
    F(POPCNT), F(AESNI), F(XSAVE), F(AVX), F(F16C), F(RDRAND), F(HYPERVISOR),
    F(SYSCALL), F(NX), F(MMXEXT), F(FFXSR), F(RDTSCP), F(LM), F(3DNOWEXT), F(3DNOW),
    F(LAHF_LM), F(CMP_LEGACY), F(ABM), F(SSE4A), F(MISALIGNSSE), F(3DNOWPREFETCH), F(XOP),
    F(FMA4), F(TBM), F(DBEXT),
    F(XSAVEOPT), F(XSAVEC), F(XGETBV1),
    F(BMI1), F(AVX2), F(BMI2), F(ERMS), F(AVX512F), F(AVX512DQ), F(RDSEED), F(ADX),
    F(AVX512_IFMA), F(CLFLUSHOPT), F(CLWB), F(AVX512PF), F(AVX512ER), F(AVX512CD), F(SHA),
    F(AVX512BW), F(AVX512VL), F(FDP_EXCP_ONLY), F(NO_FPU_SEL),
    F(PREFETCHWT1), F(AVX512_VBMI), F(AVX512_VBMI2), F(GFNI), F(VAES), F(VPCLMULQDQ),
    F(AVX512_VNNI), F(AVX512_BITALG), F(AVX512_VPOPCNTDQ), F(CLDEMOTE),
    F(CLZERO), F(RSTR_FP_ERR_PTRS), F(SSB_NO), F(BTC_NO),
    F(AVX512_4VNNIW), F(AVX512_4FMAPS), F(FSRM), F(MD_CLEAR), F(SERIALIZE), F(AVX512_FP16),
    F(AVX_VNNI), F(AVX512_BF16), F(FZRM), F(FSRS), F(FSRCS),
    F(LFENCE_DISPATCH), F(VERW_CLEAR), F(NSCB), F(SRSO_NO), F(SRSO_US_NO), F(MCDT_NO),
    F(TSA_SQ_NO), F(TSA_L1_NO),
};

/* For every guest whose configuration asks. */
static const uint16_t on_request[] = {
    F(APIC), F(ITSC), F(RDPID), F(FSGSBASE), F(HLE), F(RTM), F(MOVDIRI), F(MOVDIR64B), F(TSXLDTRK),
    F(AVX512_VP2INTERSECT), F(IBPB),
};

/* For guests in a virtual machine, whose ring 0 and page tables are their own. */
static const uint16_t for_hvm[] = {
    F(APIC), F(VME), F(PSE), F(PGE), F(PSE36), F(MTRR), F(X2APIC), F(TSC_DEADLINE), F(PCID),
    F(PAGE1GB), F(CR8_LEGACY), F(FSGSBASE), F(TSC_ADJUST), F(SMEP), F(SMAP), F(UMIP),
    F(INVPCID), F(RDPID), F(NO_LMSL),
};

/* { feature, what it needs }: in an order that makes one pass enough. */
static const uint16_t needs[][2] = {
    { F(AVX), F(XSAVE) }, { F(XSAVEOPT), F(XSAVE) }, { F(XSAVEC), F(XSAVE) },
    { F(XGETBV1), F(XSAVE) }, { F(XSAVES), F(XSAVE) },
    { F(FMA), F(AVX) }, { F(FMA4), F(AVX) }, { F(F16C), F(AVX) }, { F(XOP), F(AVX) },
    { F(AVX2), F(AVX) }, { F(VAES), F(AVX) }, { F(VPCLMULQDQ), F(AVX) },
    { F(AVX_VNNI), F(AVX2) }, { F(AVX512F), F(AVX2) },
    { F(AVX512DQ), F(AVX512F) }, { F(AVX512_IFMA), F(AVX512F) }, { F(AVX512PF), F(AVX512F) },
    { F(AVX512ER), F(AVX512F) }, { F(AVX512CD), F(AVX512F) }, { F(AVX512BW), F(AVX512F) },
    { F(AVX512VL), F(AVX512F) }, { F(AVX512_4VNNIW), F(AVX512F) },
    { F(AVX512_4FMAPS), F(AVX512F) }, { F(AVX512_VNNI), F(AVX512F) },
    { F(AVX512_VPOPCNTDQ), F(AVX512F) }, { F(AVX512_VP2INTERSECT), F(AVX512F) },
    { F(AVX512_VBMI), F(AVX512BW) }, { F(AVX512_VBMI2), F(AVX512BW) },
    { F(AVX512_BITALG), F(AVX512BW) }, { F(AVX512_BF16), F(AVX512BW) },
    { F(AVX512_FP16), F(AVX512BW) },
};

#define XCR0_X87_SSE 3ull
#define XCR0_AVX     (1ull << 2)
#define XCR0_AVX512  (7ull << 5)

/* Where the CPU keeps each feature word. */
enum { REG_A, REG_B, REG_C, REG_D };
static const struct {
    uint32_t leaf, subleaf;
    uint8_t reg;
} word_at[CPU_FEATURE_WORDS] = {
    [0]  = { 1, XEN_CPUID_NO_SUBLEAF, REG_D },          [1] = { 1, XEN_CPUID_NO_SUBLEAF, REG_C },
    [2]  = { 0x80000001, XEN_CPUID_NO_SUBLEAF, REG_D }, [3] = { 0x80000001, XEN_CPUID_NO_SUBLEAF, REG_C },
    [4]  = { 0xd, 1, REG_A },
    [5]  = { 7, 0, REG_B },  [6]  = { 7, 0, REG_C },
    [7]  = { 0x80000007, XEN_CPUID_NO_SUBLEAF, REG_D },
    [8]  = { 0x80000008, XEN_CPUID_NO_SUBLEAF, REG_B },
    [9]  = { 7, 0, REG_D },  [10] = { 7, 1, REG_A },
    [11] = { 0x80000021, XEN_CPUID_NO_SUBLEAF, REG_A },
    [12] = { 7, 1, REG_B },  [13] = { 7, 2, REG_D },  [14] = { 7, 1, REG_C },  [15] = { 7, 1, REG_D },
    /* 16 and 17 are the halves of MSR ARCH_CAPABILITIES */
    [18] = { 0x80000021, XEN_CPUID_NO_SUBLEAF, REG_C },
};
#define WORD_ARCH_CAPS 16u

/*
 * Fields that are data: what guests may see of them. Feature words are not meant here.
 * A leaf that is not listed shows nothing.
 */
#define ALL 0xffffffffu
static const struct {
    uint32_t first, last;
    struct cpuid_leaf mask;
} data_fields[] = {
    { 0,          0,          { ALL, ALL, ALL, ALL } },        /* highest leaf, vendor */
    { 1,          1,          { ALL, 0x00ffffff, 0, 0 } },     /* model; all but the APIC id */
    { 2,          2,          { ALL, ALL, ALL, ALL } },        /* cache descriptors */
    { 4,          4,          { ALL, ALL, ALL, ALL } },        /* caches */
    { 7,          7,          { 0x3, 0, 0, 0 } },              /* highest subleaf (of subleaf 0) */
    { 0xd,        0xd,        { ALL, ALL, ALL, ALL } },        /* settled with the features */
    { 0x80000000, 0x80000000, { ALL, ALL, ALL, ALL } },
    { 0x80000001, 0x80000001, { ALL, ALL, 0, 0 } },
    { 0x80000002, 0x80000006, { ALL, ALL, ALL, ALL } },        /* name, caches */
    { 0x80000008, 0x80000008, { 0x00ffffff, 0, 0x0000f0ff, 0 } }, /* address widths, cores */
    { 0x80000019, 0x8000001a, { ALL, ALL, ALL, ALL } },        /* TLBs, optimisation hints */
};

static uint32_t *reg_of(xen_cpuid_leaf_t *l, unsigned int reg)
{
    switch (reg) {
    case REG_A: return &l->a;
    case REG_B: return &l->b;
    case REG_C: return &l->c;
    default:    return &l->d;
    }
}

/* The feature word in its leaf; NULL if it is an MSR's or the policy lacks the leaf. */
static uint32_t *find_word(const struct cpu_policy *p, unsigned int w)
{
    xen_cpuid_leaf_t *l;

    if (w >= CPU_FEATURE_WORDS || w == WORD_ARCH_CAPS || w == WORD_ARCH_CAPS + 1)
        return NULL;
    l = cpu_policy_find(p, word_at[w].leaf, word_at[w].subleaf);
    return l ? reg_of(l, word_at[w].reg) : NULL;
}

void cpu_policy_features(const struct cpu_policy *p, uint32_t words[CPU_FEATURE_WORDS])
{
    unsigned int w;

    for (w = 0; w < CPU_FEATURE_WORDS; w++) {
        const uint32_t *word = find_word(p, w);

        words[w] = word ? *word : 0;
    }
    words[WORD_ARCH_CAPS] = p->arch_caps;
    words[WORD_ARCH_CAPS + 1] = p->arch_caps >> 32;
}

bool cpu_policy_has(const struct cpu_policy *p, unsigned int feature)
{
    const uint32_t *word = find_word(p, feature / 32);

    return word && (*word >> (feature % 32) & 1);
}

void cpu_policy_set(struct cpu_policy *p, unsigned int feature, bool on)
{
    uint32_t *word = find_word(p, feature / 32), bit = 1u << (feature % 32);

    if (word)
        *word = on ? *word | bit : *word & ~bit;
}

void cpu_policy_hw_cap(const struct cpu_policy *host, uint32_t words[CPU_HW_CAP_WORDS])
{
    uint32_t all[CPU_FEATURE_WORDS];
    unsigned int w;

    cpu_policy_features(host, all);
    for (w = 0; w < CPU_HW_CAP_WORDS; w++)
        words[w] = all[w];
}

struct cpuid_leaf cpu_feature_bits(uint32_t leaf, uint32_t subleaf)
{
    xen_cpuid_leaf_t bits = { .leaf = leaf, .subleaf = subleaf };
    unsigned int w;

    for (w = 0; w < CPU_FEATURE_WORDS; w++)
        if (w != WORD_ARCH_CAPS && w != WORD_ARCH_CAPS + 1 &&
            word_at[w].leaf == leaf && word_at[w].subleaf == subleaf)
            *reg_of(&bits, word_at[w].reg) = ALL;
    return (struct cpuid_leaf){ bits.a, bits.b, bits.c, bits.d };
}

static void add_features(uint32_t mask[CPU_FEATURE_WORDS], const uint16_t *list, unsigned int n)
{
    while (n--)
        mask[list[n] / 32] |= 1u << (list[n] % 32);
}

static void feature_mask(uint32_t mask[CPU_FEATURE_WORDS], enum cpu_guest_class class)
{
    unsigned int w;

    for (w = 0; w < CPU_FEATURE_WORDS; w++)
        mask[w] = 0;
    add_features(mask, for_all, ARRAY_SIZE(for_all));
    if (class == GUEST_PV_MAX || class == GUEST_HVM_MAX)
        add_features(mask, on_request, ARRAY_SIZE(on_request));
    if (class == GUEST_HVM_MAX || class == GUEST_HVM_DEFAULT)
        add_features(mask, for_hvm, ARRAY_SIZE(for_hvm));
}

void cpu_policy_mask_data(xen_cpuid_leaf_t *l)
{
    struct cpuid_leaf keep = cpu_feature_bits(l->leaf, l->subleaf);
    unsigned int n;

    for (n = 0; n < ARRAY_SIZE(data_fields); n++)
        if (l->leaf >= data_fields[n].first && l->leaf <= data_fields[n].last) {
            keep.a |= data_fields[n].mask.a;
            keep.b |= data_fields[n].mask.b;
            keep.c |= data_fields[n].mask.c;
            keep.d |= data_fields[n].mask.d;
        }
    l->a &= keep.a;
    l->b &= keep.b;
    l->c &= keep.c;
    l->d &= keep.d;
}

static bool vendor_amd(const struct cpu_policy *p)
{
    uint32_t b = cpu_policy_leaf(p, 0, 0).b;

    return b == 0x68747541 || b == 0x6f677948;      /* "Auth"enticAMD, "Hygo"nGenuine */
}

/* AMD repeats many bits of leaf 1 EDX in leaf 0x80000001 EDX; they must agree. */
static void settle_common(struct cpu_policy *p)
{
    const uint32_t common = 0x0183f3ff;
    uint32_t *e1d = find_word(p, 2), *w0 = find_word(p, 0);

    if (!e1d || !w0)
        return;
    *e1d &= ~common;
    if (vendor_amd(p))
        *e1d |= *w0 & common;
}

/* Leaf 0xd: components by feature; sizes shown are filled in when a guest asks. */
static void settle_xsave(struct cpu_policy *p)
{
    uint64_t allowed = 0;
    unsigned int n;

    if (cpu_policy_has(p, F(XSAVE)))
        allowed = XCR0_X87_SSE;
    if (cpu_policy_has(p, F(AVX)))
        allowed |= XCR0_AVX;
    if (cpu_policy_has(p, F(AVX512F)))
        allowed |= XCR0_AVX512;
    for (n = 0; n < p->nr; n++) {
        xen_cpuid_leaf_t *l = &p->leaf[n];

        if (l->leaf != 0xd)
            continue;
        if (l->subleaf == 0) {
            l->a &= allowed;
            l->d &= allowed >> 32;
            l->b = l->c = 0;
        } else if (l->subleaf == 1) {
            l->b = l->c = l->d = 0;
        } else if (l->subleaf > 63 || !(allowed >> l->subleaf & 1)) {
            l->a = l->b = l->c = l->d = 0;
        }
    }
}

void cpu_policy_settle(struct cpu_policy *p)
{
    uint64_t xcr0 = cpu_policy_xcr0(p);
    unsigned int n;

    cpu_policy_set(p, F(HYPERVISOR), true);
    cpu_policy_set(p, F(OSXSAVE), false);
    cpu_policy_set(p, F(OSPKE), false);
    if ((xcr0 & XCR0_X87_SSE) != XCR0_X87_SSE)
        cpu_policy_set(p, F(XSAVE), false);
    if (!(xcr0 & XCR0_AVX))
        cpu_policy_set(p, F(AVX), false);
    if ((xcr0 & XCR0_AVX512) != XCR0_AVX512)
        cpu_policy_set(p, F(AVX512F), false);
    for (n = 0; n < ARRAY_SIZE(needs); n++)
        if (!cpu_policy_has(p, needs[n][1]))
            cpu_policy_set(p, needs[n][0], false);
    settle_common(p);
    settle_xsave(p);
    cpu_policy_trim(p);
}

void cpu_policy_restrict(struct cpu_policy *p, enum cpu_guest_class class)
{
    uint32_t mask[CPU_FEATURE_WORDS];
    unsigned int n;

    feature_mask(mask, class);
    for (n = 0; n < CPU_FEATURE_WORDS; n++) {
        uint32_t *word = find_word(p, n);

        if (word)
            *word &= mask[n];
    }
    for (n = 0; n < p->nr; n++)
        cpu_policy_mask_data(&p->leaf[n]);
    p->platform_info = 0;
    p->arch_caps = 0;
    cpu_policy_settle(p);
}
