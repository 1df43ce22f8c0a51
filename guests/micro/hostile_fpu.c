/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FPU's, SSE's and AVX's registers: a vCPU begins with none of anybody's values, keeps its own whatever others do on the
 * same CPU meanwhile, and no exception or switch that it leaves behind is felt by another. In a domU its first values would be
 * dom0's, which has its own in every register.
 */

#include "hostile.h"

#include "fpu.h"

#define ROUNDS 40
#define WITH_AVX 7

/* FXSAVE's layout, and the upper halves as XSAVE puts them. */
struct fpu {
    uint16_t fcw, fsw, ftw, fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16];
    uint8_t xmm[16][16];
    uint8_t unused[96];
    uint64_t xstate_bv, header[7];
    uint8_t ymm[16][16];
} __attribute__((aligned(64)));

static bool has_avx(void)
{
    TRY("xsetbv", : : "c"(0), "a"(WITH_AVX), "d"(0));
    return !trap_seen.count;
}

static void load(const struct fpu *f, bool avx)
{
    if (avx)
        __asm__ volatile("xrstor64 %0" : : "m"(*f), "a"(WITH_AVX), "d"(0));
    else
        __asm__ volatile("fxrstor64 %0" : : "m"(*f));
}

static void save(struct fpu *f, bool avx)
{
    memset(f, 0, sizeof(*f));
    if (avx)
        __asm__ volatile("xsave64 %0" : "+m"(*f) : "a"(WITH_AVX), "d"(0));
    else
        __asm__ volatile("fxsave64 %0" : "+m"(*f));
}

/* Values that `who` alone has. No exception is pending. */
static void fill(struct fpu *f, unsigned int who)
{
    unsigned int i;

    memset(f, 0, sizeof(*f));
    f->fcw = (uint16_t)(who & 1 ? 0x37f : 0xf7f);
    f->ftw = 0xff;
    f->mxcsr = who & 1 ? 0x1f80 : 0x7f80;
    f->xstate_bv = WITH_AVX;
    for (i = 0; i < 8; i++)
        memset(f->st[i], 0x10 + (int)(who + i), 10);
    memset(f->xmm, 0x40 + (int)who, sizeof(f->xmm));
    memset(f->ymm, 0x80 + (int)who, sizeof(f->ymm));
}

void fpu_take(unsigned int who)
{
    static struct fpu f;

    fill(&f, who);
    load(&f, has_avx());
}

bool fpu_kept(unsigned int who)
{
    static struct fpu f, mine;
    bool avx = has_avx();

    save(&f, avx);
    fill(&mine, who);
    return f.fcw == mine.fcw && f.mxcsr == mine.mxcsr && !memcmp(f.st, mine.st, sizeof(f.st)) &&
           !memcmp(f.xmm, mine.xmm, sizeof(f.xmm)) && (!avx || !memcmp(f.ymm, mine.ymm, sizeof(f.ymm)));
}

static bool all_zero(const void *p, size_t n)
{
    const uint8_t *b = p;

    while (n && !*b)
        b++, n--;
    return !n;
}

/* ---- First of all: nobody here has used them before. ---- */

TEST(at_first)
{
    static struct fpu f;
    unsigned int i;
    bool avx = has_avx(), st = true;

    save(&f, avx);
    for (i = 0; i < 8; i++)
        st = st && all_zero(f.st[i], 10);
    verdict("at_first", "fcw", f.fcw, 0x37f);
    verdict("at_first", "fsw", f.fsw, 0);
    verdict("at_first", "tags", f.ftw, 0);
    verdict("at_first", "last_instruction", !(f.fop == 0 && f.fip == 0 && f.fdp == 0), 0);
    verdict("at_first", "mxcsr", avx && !(f.xstate_bv & 2) ? 0x1f80 : f.mxcsr, 0x1f80);
    verdict("at_first", "x87", st ? 0 : -1, 0);
    verdict("at_first", "xmm", all_zero(f.xmm, sizeof(f.xmm)) ? 0 : -1, 0);
    verdict("at_first", "ymm", all_zero(f.ymm, sizeof(f.ymm)) ? 0 : -1, 0);
}

/* ---- Whatever others do ---- */

static volatile unsigned int lost, used_without_trap;
static struct fpu their[MAX_RIVALS], seen[MAX_RIVALS];

/* Each has its own values, and looks whether they are still there when its turn comes again. */
static void keep_theirs(unsigned int rival, unsigned int round)
{
    struct fpu *f = &their[rival], *s = &seen[rival];
    bool avx = has_avx();

    fill(f, 8 + rival);
    load(f, avx);
    yield();
    save(s, avx);
    if (memcmp(s->st, f->st, sizeof(f->st)) || memcmp(s->xmm, f->xmm, sizeof(f->xmm)) || s->mxcsr != f->mxcsr ||
        s->fcw != f->fcw || (avx && memcmp(s->ymm, f->ymm, sizeof(f->ymm))))
        lost++;
}

/* What each part is loaded with is what is there after so many turns of others. */
TEST(kept)
{
    static struct fpu mine, now_there;
    unsigned int i, bad[5] = { 0 };
    bool avx = has_avx();

    lost = 0;
    fill(&mine, 0);
    race_begin(keep_theirs);
    for (i = 0; i < ROUNDS; i++) {
        load(&mine, avx);
        yield();
        save(&now_there, avx);
        bad[0] += now_there.fcw != mine.fcw;
        bad[1] += now_there.mxcsr != mine.mxcsr;
        bad[2] += memcmp(now_there.st, mine.st, sizeof(mine.st)) != 0;
        bad[3] += memcmp(now_there.xmm, mine.xmm, sizeof(mine.xmm)) != 0;
        bad[4] += avx && memcmp(now_there.ymm, mine.ymm, sizeof(mine.ymm)) != 0;
    }
    race_end();
    verdict("kept", "fcw", bad[0], 0);
    verdict("kept", "mxcsr", bad[1], 0);
    verdict("kept", "x87", bad[2], 0);
    verdict("kept", "xmm", bad[3], 0);
    verdict("kept", "ymm", bad[4], 0);
    verdict("kept", "others", lost, 0);
}

/* ---- Switched off for oneself, not for others ---- */

static long taskswitch(unsigned int set) { return hypercall(__HYPERVISOR_fpu_taskswitch, set); }

static void use(unsigned int rival, unsigned int round)
{
    __asm__ volatile("fnop; xorps %%xmm0, %%xmm0" : : : "memory");       /* a trap takes it back to its beginning */
    used_without_trap++;
    yield();
}

/* Until another vCPU has used its own, for a second at most; 0, or -1 if none could. */
static long others_use(unsigned int before)
{
    uint64_t end = now() + 1000000000;

    while (max_vcpus() > 1 && used_without_trap == before && now() < end)
        yield();
    return max_vcpus() > 1 && used_without_trap == before ? -1 : 0;
}

TEST(switched_off)
{
    static struct fpu f;
    long others;

    fpu_take(1);
    verdict("switched_off", "set", taskswitch(1), 0);
    TRY("fnop", :);
    verdict("switched_off", "x87", try_result(), TRAP(7));
    taskswitch(1);
    TRY("xorps %%xmm0, %%xmm0", :);
    verdict("switched_off", "sse", try_result(), TRAP(7));
    taskswitch(1);
    TRY("fxsave64 %0", : "+m"(f));
    verdict("switched_off", "fxsave", try_result(), TRAP(7));
    race_begin(use);
    taskswitch(1);
    others = others_use(used_without_trap);
    race_end();
    taskswitch(0);
    verdict("switched_off", "others", others, 0);
    taskswitch(1);
    yield();
    taskswitch(0);
    verdict("switched_off", "kept", fpu_kept(1) ? 0 : -1, 0);
    verdict("switched_off", "any_value", taskswitch(~0u) || taskswitch(0), 0);
}

/* ---- An exception that waits for the next instruction is one's own ---- */

static void wait_for_exception(unsigned int rival, unsigned int round)
{
    __asm__ volatile("fninit; fld1; fwait; fstp %st(0)");
    used_without_trap++;
    yield();
}

TEST(exceptions)
{
    static const uint16_t unmasked = 0x300;
    static uint32_t all_unmasked = 0;
    long others, mine;

    race_begin(wait_for_exception);
    __asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(unmasked));       /* 1 / 0, which waits */
    others = others_use(used_without_trap);
    TRY("fwait", :);
    mine = try_result();
    __asm__ volatile("fnclex; fninit");
    race_end();
    verdict("exceptions", "x87_waits", mine, TRAP(16));
    verdict("exceptions", "others", others, 0);
    __asm__ volatile("ldmxcsr %0" : : "m"(all_unmasked));
    TRY("xorps %%xmm0, %%xmm0; divps %%xmm0, %%xmm0", :);
    all_unmasked = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(all_unmasked));
    all_unmasked = 0;
    verdict("exceptions", "sse_at_once", try_result(), NO_GAIN);       /* QEMU has no such exceptions */
}

/* ---- Areas and registers with reserved bits ---- */

TEST(odd_areas)
{
    static struct fpu f;
    static uint32_t reserved = 0xffffffff;

    fill(&f, 2);
    f.mxcsr = 0xffffffff;
    TRY("fxrstor64 %0", : : "m"(f));
    verdict("odd_areas", "fxrstor_mxcsr", try_result(), NO_GAIN);      /* QEMU takes it */
    TRY("ldmxcsr %0", : : "m"(reserved));
    verdict("odd_areas", "ldmxcsr", try_result(), NO_GAIN);
    TRY("fxrstor64 8(%0)", : : "r"(&f));
    verdict("odd_areas", "misaligned", try_result(), FAULT);
    if (!has_avx())
        return;
    fill(&f, 2);
    f.xstate_bv = ~0UL;
    TRY("xrstor64 %0", : : "m"(f), "a"(WITH_AVX), "d"(0));
    verdict("odd_areas", "xstate_bv", try_result(), TRAP(13));
    f.xstate_bv = WITH_AVX;
    f.header[1] = ~0UL;
    TRY("xrstor64 %0", : : "m"(f), "a"(WITH_AVX), "d"(0));
    verdict("odd_areas", "header", try_result(), NO_GAIN);
}

TEST(xcr0)
{
    static const struct { const char *name; uint64_t value; } odd[] = {
        { "zero", 0 }, { "without_x87", 6 }, { "avx_without_sse", 5 }, { "bit_3", 0xf }, { "half_of_avx512", 0x27 },
        { "pkru", 0x207 }, { "tile", 0x60007 }, { "bit_62", 1UL << 62 | 7 }, { "bit_63", 1UL << 63 | 7 }, { "ones", ~0UL },
    };
    unsigned int i;

    if (!has_avx())
        return;
    for (i = 0; i < ARRAY_SIZE(odd); i++) {
        TRY("xsetbv", : : "c"(0), "a"((uint32_t)odd[i].value), "d"((uint32_t)(odd[i].value >> 32)));
        verdict("xcr0", odd[i].name, try_result(), FAULT);
    }
    for (i = 1; i < 4; i++) {
        TRY("xsetbv", : : "c"(i == 3 ? ~0u : i), "a"(7), "d"(0));
        verdict("xcr0", i == 3 ? "number_ones" : i == 2 ? "number_2" : "number_1", try_result(), FAULT);
    }
    TRY("xsetbv", : : "c"(0), "a"(1), "d"(0));
    verdict("xcr0", "x87_only", try_result(), 0);
    TRY("vxorps %%ymm0, %%ymm0, %%ymm0", :);
    verdict("xcr0", "avx_switched_off", try_result(), TRAP(6));
    has_avx();
}
