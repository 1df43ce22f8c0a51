/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID policies: read from the CPU, looked up, changed by the toolstack, shown to guests.
 *
 * One table says which leaves a policy can hold; its size is the ABI's maximum count.
 */
#include "x86/model/cpuid.h"
#include "lib/errno.h"
#include "lib/types.h"
#include "x86/model/msr.h"

#include <assert.h>

#include <xen/arch-x86/cpufeatureset.h>
#include <xen/arch-x86/cpuid.h>

#define NO_SUBLEAF XEN_CPUID_NO_SUBLEAF


#define EXT_LEAF   0x80000000u
#define LAST_BASIC 0xdu
#define LAST_EXT   0x80000021u

#define XEN_VERSION_MAJOR 4u
#define XEN_VERSION_MINOR 17u

/* Every leaf that a policy can hold; subleaves 0: the leaf has none. */
static const struct span {
    uint32_t first, last, subleaves;
} spans[] = {
    { 0x0, 0x3, 0 }, { 0x4, 0x4, 6 }, { 0x5, 0x6, 0 }, { 0x7, 0x7, 3 }, { 0x8, 0xa, 0 },
    { 0xb, 0xb, 2 }, { 0xc, 0xc, 0 }, { 0xd, 0xd, 63 },
    { XEN_CPUID_FIRST_LEAF, XEN_CPUID_FIRST_LEAF, 0 },
    { XEN_CPUID_FIRST_LEAF + 0x100, XEN_CPUID_FIRST_LEAF + 0x100, 0 },
    { EXT_LEAF, LAST_EXT, 0 },
};
static_assert(4 + 6 + 2 + 3 + 3 + 2 + 1 + 63 + 1 + 1 + 34 == CPU_POLICY_MAX_LEAVES,
              "a policy has room for every leaf of spans[]");

/* The span that may hold this leaf, or NULL. */
static const struct span *find_span(uint32_t leaf)
{
    unsigned int n;

    for (n = 0; n < ARRAY_SIZE(spans); n++)
        if (leaf >= spans[n].first && leaf <= spans[n].last)
            return &spans[n];
    return NULL;
}

/* Can a policy hold this leaf under exactly this subleaf number? */
static bool holdable(uint32_t leaf, uint32_t subleaf)
{
    const struct span *s = find_span(leaf);

    return s && (s->subleaves ? subleaf < s->subleaves : subleaf == NO_SUBLEAF);
}

/* ---- Looking up ---- */

/* Index of the first entry not below (leaf, subleaf). */
static unsigned int lower_bound(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    unsigned int lo = 0, hi = p->nr;

    while (lo < hi) {
        unsigned int mid = (lo + hi) / 2;
        const xen_cpuid_leaf_t *l = &p->leaf[mid];

        if (l->leaf < leaf || (l->leaf == leaf && l->subleaf < subleaf))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

xen_cpuid_leaf_t *cpu_policy_find(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    const struct span *s = find_span(leaf);
    unsigned int n;

    if (!s)
        return NULL;
    if (!s->subleaves)
        subleaf = NO_SUBLEAF;
    n = lower_bound(p, leaf, subleaf);
    if (n == p->nr || p->leaf[n].leaf != leaf || p->leaf[n].subleaf != subleaf)
        return NULL;
    return (xen_cpuid_leaf_t *)&p->leaf[n];
}

struct cpuid_leaf cpu_policy_leaf(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    const xen_cpuid_leaf_t *l = cpu_policy_find(p, leaf, subleaf);

    return l ? (struct cpuid_leaf){ l->a, l->b, l->c, l->d } : (struct cpuid_leaf){ 0 };
}

struct cpu_version cpu_version(uint32_t signature)
{
    struct cpu_version v = { .family = signature >> 8 & 15, .model = signature >> 4 & 15, .stepping = signature & 15 };

    if (v.family == 6 || v.family == 15)
        v.model |= signature >> 12 & 0xf0;
    if (v.family == 15)
        v.family += signature >> 20 & 0xff;
    return v;
}

uint64_t cpu_policy_xcr0(const struct cpu_policy *p)
{
    struct cpuid_leaf l = cpu_policy_leaf(p, 0xd, 0);

    return (uint64_t)l.d << 32 | l.a;
}

#define XSAVE_LEGACY 576u       /* x87 and SSE state, and the header */
#define XSAVE_ALIGN  2u         /* leaf 0xd ECX: compact form is 64-byte aligned */

uint32_t cpu_policy_xsave_size(const struct cpu_policy *p, uint64_t xcr0)
{
    uint32_t size = XSAVE_LEGACY;
    unsigned int bit;

    for (bit = 2; bit < 63; bit++) {
        struct cpuid_leaf l;

        if (!(xcr0 >> bit & 1))
            continue;
        l = cpu_policy_leaf(p, 0xd, bit);
        if (l.a + l.b > size)
            size = l.a + l.b;
    }
    return size;
}

static uint32_t compact_size(const struct cpu_policy *p, uint64_t xcr0)
{
    uint32_t size = XSAVE_LEGACY;
    unsigned int bit;

    for (bit = 2; bit < 63; bit++) {
        struct cpuid_leaf l;

        if (!(xcr0 >> bit & 1))
            continue;
        l = cpu_policy_leaf(p, 0xd, bit);
        if (l.c & XSAVE_ALIGN)
            size = ROUNDUP(size, 64);
        size += l.a;
    }
    return size;
}

/* ---- Which leaves a policy lists ---- */

/* Does p's own content say that it has this leaf? The list ends where libxc's does. */
static bool listed(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_leaf l;
    uint64_t components;

    if (leaf >= XEN_CPUID_FIRST_LEAF && leaf < EXT_LEAF)
        return true;
    if (leaf > cpu_policy_leaf(p, leaf & EXT_LEAF, 0).a)
        return leaf == 0 || leaf == EXT_LEAF;
    if (subleaf == 0 || subleaf == NO_SUBLEAF)
        return true;
    switch (leaf) {
    case 0x4:       /* up to the first that is no cache */
        return cpu_policy_leaf(p, leaf, subleaf - 1).a & 0x1f;
    case 0x7:
        return subleaf <= cpu_policy_leaf(p, leaf, 0).a;
    case 0xb:       /* up to the first that is no level */
        return cpu_policy_leaf(p, leaf, subleaf - 1).c >> 8 & 0xff;
    default:        /* 0xd: up to the highest component of XCR0 and XSS */
        l = cpu_policy_leaf(p, leaf, 1);
        components = cpu_policy_xcr0(p) | (uint64_t)l.d << 32 | l.c;
        return subleaf == 1 || components >> subleaf;
    }
}

void cpu_policy_trim(struct cpu_policy *p)
{
    bool keep[CPU_POLICY_MAX_LEAVES];
    unsigned int n, kept = 0;

    for (n = 0; n < p->nr; n++) {
        xen_cpuid_leaf_t *l = &p->leaf[n];

        keep[n] = listed(p, l->leaf, l->subleaf);
        if (!keep[n])
            l->a = l->b = l->c = l->d = 0;      /* it says nothing about the next one */
    }
    for (n = 0; n < p->nr; n++)
        if (keep[n])
            p->leaf[kept++] = p->leaf[n];
    p->nr = kept;
}

/* ---- Reading the CPU ---- */

static void append(struct cpu_policy *p, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf v)
{
    if (p->nr < CPU_POLICY_MAX_LEAVES)
        p->leaf[p->nr++] = (xen_cpuid_leaf_t){ leaf, subleaf, v.a, v.b, v.c, v.d };
}

/* All of a span that is not above limit. */
static void read_span(struct cpu_policy *p, const struct cpu_host *host, const struct span *s, uint32_t limit)
{
    uint32_t leaf, sub, count = s->subleaves ? s->subleaves : 1;

    for (leaf = s->first; leaf <= s->last && leaf <= limit; leaf++)
        for (sub = 0; sub < count; sub++) {
            struct cpuid_leaf v = { 0 };

            if (leaf < XEN_CPUID_FIRST_LEAF || leaf >= EXT_LEAF)
                host->cpuid(leaf, sub, &v);
            append(p, leaf, s->subleaves ? sub : NO_SUBLEAF, v);
        }
}

static void read_cpu(struct cpu_policy *p, const struct cpu_host *host)
{
    struct cpuid_leaf v;
    uint32_t last_basic, last_ext;
    unsigned int n;

    *p = (struct cpu_policy){ 0 };
    host->cpuid(0, 0, &v);
    last_basic = MIN(v.a, LAST_BASIC);
    host->cpuid(EXT_LEAF, 0, &v);
    last_ext = v.a >= EXT_LEAF ? MIN(v.a, LAST_EXT) : EXT_LEAF;
    for (n = 0; n < ARRAY_SIZE(spans); n++)
        read_span(p, host, &spans[n], spans[n].first >= EXT_LEAF ? last_ext :
                  spans[n].first >= XEN_CPUID_FIRST_LEAF ? spans[n].last : last_basic);
    cpu_policy_trim(p);
    if (!host->read_msr(MSR_PLATFORM_INFO, &p->platform_info))
        p->platform_info = 0;
    if (!cpu_policy_has(p, XEN_X86_FEATURE_ARCH_CAPS) || !host->read_msr(MSR_IA32_ARCH_CAPS, &p->arch_caps))
        p->arch_caps = 0;
}

void cpu_policies_init(struct cpu_policies *p, const struct cpu_host *host)
{
    static const struct { uint8_t policy, class; } made[] = {
        { CPU_POLICY_PV_MAX,      GUEST_PV_MAX },
        { CPU_POLICY_PV_DEFAULT,  GUEST_PV_DEFAULT },
        { CPU_POLICY_HVM_MAX,     GUEST_HVM_MAX },
        { CPU_POLICY_HVM_DEFAULT, GUEST_HVM_DEFAULT },
    };
    struct cpu_policy *of = p->of;
    xen_cpuid_leaf_t *l;
    unsigned int n;

    read_cpu(&of[CPU_POLICY_RAW], host);
    of[CPU_POLICY_HOST] = of[CPU_POLICY_RAW];
    l = cpu_policy_find(&of[CPU_POLICY_HOST], 0, 0);
    if (l)
        l->a = MIN(l->a, LAST_BASIC);
    l = cpu_policy_find(&of[CPU_POLICY_HOST], EXT_LEAF, 0);
    if (l)
        l->a = MIN(l->a, LAST_EXT);
    for (n = 0; n < ARRAY_SIZE(made); n++) {
        of[made[n].policy] = of[CPU_POLICY_HOST];
        cpu_policy_restrict(&of[made[n].policy], made[n].class);
    }
}

void cpu_policy_dom0(struct cpu_policy *out, const struct cpu_policies *p)
{
    *out = p->of[CPU_POLICY_PV_DEFAULT];
    if (cpu_policy_has(&p->of[CPU_POLICY_PV_MAX], XEN_X86_FEATURE_APIC))
        cpu_policy_set(out, XEN_X86_FEATURE_APIC, true);
    cpu_policy_settle(out);
}

void cpu_policy_msrs(const struct cpu_policy *p, xen_msr_entry_t out[CPU_POLICY_MAX_MSRS])
{
    out[0] = (xen_msr_entry_t){ .idx = MSR_PLATFORM_INFO, .val = p->platform_info };
    out[1] = (xen_msr_entry_t){ .idx = MSR_IA32_ARCH_CAPS, .val = p->arch_caps };
}

/* ---- Changes by the toolstack ---- */

/* Feature bits that a policy may carry whatever the maximum says; settling removes them. */
static bool tolerated(uint32_t leaf, struct cpuid_leaf *beyond)
{
    if (leaf == 1)
        beyond->c &= ~(1u << (XEN_X86_FEATURE_OSXSAVE % 32));
    if (leaf == 7)
        beyond->c &= ~(1u << (XEN_X86_FEATURE_OSPKE % 32));
    if (leaf == 0x80000001)
        beyond->d &= ~0x0183f3ffu;      /* AMD's copies of leaf 1 EDX */
    return !(beyond->a | beyond->b | beyond->c | beyond->d);
}

static int check_leaf(const struct cpu_policy *max, const xen_cpuid_leaf_t *l)
{
    struct cpuid_leaf limit, bits, beyond;

    if (!holdable(l->leaf, l->subleaf))
        return -ERANGE;
    limit = cpu_policy_leaf(max, l->leaf, l->subleaf);
    bits = cpu_feature_bits(l->leaf, l->subleaf);
    beyond = (struct cpuid_leaf){ l->a & bits.a & ~limit.a, l->b & bits.b & ~limit.b,
                                  l->c & bits.c & ~limit.c, l->d & bits.d & ~limit.d };
    if (!tolerated(l->leaf, &beyond))
        return -EINVAL;
    if ((l->leaf == 0 || l->leaf == EXT_LEAF) && l->a > limit.a)
        return -EINVAL;
    if (l->leaf == 0xd && l->subleaf == 0 && ((l->a & ~limit.a) || (l->d & ~limit.d)))
        return -EINVAL;
    return 0;
}

static int check_msr(const struct cpu_policy *max, const xen_msr_entry_t *m)
{
    uint64_t limit;

    if (m->idx == MSR_PLATFORM_INFO)
        limit = max->platform_info;
    else if (m->idx == MSR_IA32_ARCH_CAPS)
        limit = max->arch_caps;
    else
        return -ERANGE;
    return m->flags || (m->val & ~limit) ? -EINVAL : 0;
}

/* Puts a leaf that passed check_leaf() in its place. */
static void store_leaf(struct cpu_policy *p, const struct cpu_policy *max, xen_cpuid_leaf_t l)
{
    unsigned int n = lower_bound(p, l.leaf, l.subleaf), k;

    if (l.leaf == 0xd && l.subleaf >= 2) {      /* sizes and offsets are the hardware's */
        struct cpuid_leaf hw = cpu_policy_leaf(max, l.leaf, l.subleaf);

        l = (xen_cpuid_leaf_t){ l.leaf, l.subleaf, hw.a, hw.b, hw.c, hw.d };
    }
    cpu_policy_mask_data(&l);
    if (n == p->nr || p->leaf[n].leaf != l.leaf || p->leaf[n].subleaf != l.subleaf) {
        if (p->nr == CPU_POLICY_MAX_LEAVES)
            return;
        for (k = p->nr++; k > n; k--)
            p->leaf[k] = p->leaf[k - 1];
    }
    p->leaf[n] = l;
}

int cpu_policy_update(struct cpu_policy *p, const struct cpu_policy *max,
                      const xen_cpuid_leaf_t *leaves, uint32_t nr_leaves,
                      const xen_msr_entry_t *msrs, uint32_t nr_msrs,
                      struct cpu_policy_error *err)
{
    uint32_t n;
    int rc;

    *err = (struct cpu_policy_error){ ~0u, ~0u, ~0u };
    for (n = 0; n < nr_leaves; n++) {
        rc = check_leaf(max, &leaves[n]);
        if (rc) {
            err->leaf = leaves[n].leaf;
            err->subleaf = leaves[n].subleaf;
            return rc;
        }
    }
    for (n = 0; n < nr_msrs; n++) {
        rc = check_msr(max, &msrs[n]);
        if (rc) {
            err->msr = msrs[n].idx;
            return rc;
        }
    }
    for (n = 0; n < nr_leaves; n++)
        store_leaf(p, max, leaves[n]);
    for (n = 0; n < nr_msrs; n++)
        *(msrs[n].idx == MSR_PLATFORM_INFO ? &p->platform_info : &p->arch_caps) = msrs[n].val;
    cpu_policy_settle(p);
    return 0;
}

/* ---- What a guest sees ---- */

static struct cpuid_leaf time_leaf(const struct cpu_policy *p, const struct cpuid_env *env,
                                   uint32_t subleaf)
{
    struct cpuid_leaf l = { 0 };

    switch (subleaf) {
    case 0:
        l.a = (env->tsc_emulated ? 1 : 0) | (env->tsc_reliable ? 2 : 0) |
              (cpu_policy_has(p, XEN_X86_FEATURE_RDTSCP) ? 4 : 0);
        l.b = env->tsc_mode;
        l.c = env->guest_khz;
        l.d = env->tsc_incarnation;
        break;
    case 1:
        l.a = env->tsc_offset;
        l.b = env->tsc_offset >> 32;
        l.c = env->tsc_mul;
        l.d = (uint32_t)env->tsc_shift;
        break;
    case 2:
        l.a = env->host_khz;
        break;
    }
    return l;
}

/* Leaves 0x40000000 and up: <xen/arch-x86/cpuid.h>. */
static struct cpuid_leaf hypervisor_leaf(const struct cpu_policy *p, const struct cpuid_env *env,
                                         uint32_t leaf, uint32_t subleaf)
{
    switch (leaf - XEN_CPUID_FIRST_LEAF) {
    case 0:
        return (struct cpuid_leaf){ XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES), XEN_CPUID_SIGNATURE_EBX,
                                    XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX };
    case 1:
        return (struct cpuid_leaf){ .a = XEN_VERSION_MAJOR << 16 | XEN_VERSION_MINOR };
    case 2:
        return (struct cpuid_leaf){ .a = 1, .b = XEN_CPUID_FIRST_LEAF,
                                    .c = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD };
    case 3:
        return time_leaf(p, env, subleaf);
    case 5:
        return (struct cpuid_leaf){ .b = subleaf == 0 ? env->maddr_bits : 0 };
    default:
        return (struct cpuid_leaf){ 0 };
    }
}

/* Fields that follow the running vCPU. */
static void dynamic_fields(const struct cpu_policy *p, const struct cpuid_env *env,
                           uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *l)
{
    switch (leaf) {
    case 1:
        l->b &= 0x00ffffff;     /* the APIC id is 0 for all: to a PV kernel, vCPUs share a package and its last cache */
        if (env->osxsave && cpu_policy_has(p, XEN_X86_FEATURE_XSAVE))
            l->c |= 1u << (XEN_X86_FEATURE_OSXSAVE % 32);
        break;
    case 0xd:
        if (!cpu_policy_has(p, XEN_X86_FEATURE_XSAVE))
            break;
        if (subleaf == 0) {
            l->b = cpu_policy_xsave_size(p, env->xcr0);
            l->c = cpu_policy_xsave_size(p, cpu_policy_xcr0(p));
        } else if (subleaf == 1 && cpu_policy_has(p, XEN_X86_FEATURE_XSAVEC)) {
            l->b = compact_size(p, env->xcr0);
        }
        break;
    }
}

void cpuid_guest(const struct cpu_policy *p, const struct cpuid_env *env,
                 uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
    uint32_t first = leaf & EXT_LEAF;

    if (leaf >= XEN_CPUID_FIRST_LEAF && leaf <= XEN_CPUID_LEAF(0xff)) {
        *out = hypervisor_leaf(p, env, leaf, subleaf);
        return;
    }
    *out = (struct cpuid_leaf){ 0 };
    if (leaf > cpu_policy_leaf(p, first, 0).a)
        return;
    *out = cpu_policy_leaf(p, leaf, subleaf);
    dynamic_fields(p, env, leaf, subleaf, out);
}
