/* SPDX-License-Identifier: BSD-2-Clause */
/* core/privop.c: instructions done for a guest, on a vCPU and its memory: which ports, registers and MSRs it has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/domain.h"
#include "core/privop.h"
#include "core/vcpu.h"
#include "core/vcpu_tables.h"
#include "tests/unit/hosted.h"
#include "x86/model/desc.h"
#include "x86/model/msr.h"

enum { CODE = 8, BITMAP = 9, DATA = 10, TABLE = 11, PAGES = 24, PORT = 0x71 };

#define VA(page) ((uint64_t)(page) * PAGE_SIZE)

static struct guest a;
static struct cpu_regs *r;

/* The instruction runs: true if it was done, false if the guest got #GP for it. */
static bool run(const char *bytes, size_t n)
{
    memcpy(machine_frame(a.m[CODE]), bytes, n);
    r->rip = VA(CODE);
    r->rflags = X86_EFLAGS_IF | X86_EFLAGS_MBS;
    machine_set_mode(a.v, true);
    assert_true(privop_emulate(a.v, true));
    return r->rip == VA(CODE) + n;
}

#define RUN(bytes) run(bytes, sizeof(bytes) - 1)

static int begin(void **state)
{
    hosted_begin(HOSTED_RAM);
    guest_create(&a, 1, 0, PAGES);
    guest_start(&a, PAGES);
    r = a.v->regs;
    for (unsigned i = 0; i < 32; i++)
        a.v->traps[i] = (struct trap_entry){ .va = VA(CODE) + 2048, .cs = FLAT_KERNEL_CS };
    return 0;
}

static int each_begins(void **state)
{
    memset(r, 0, sizeof(*r));
    r->cs = FLAT_KERNEL_CS;
    r->rsp = VA(DATA) + 2048;
    a.v->iopl = 0;
    a.v->iobitmap = 0;
    a.v->iobitmap_ports = 0;
    return 0;
}

static int end(void **state)
{
    guest_destroy(&a, control.v, PLENTY);
    hosted_check();
    return 0;
}

/* ---- Ports ---- */

#define IN_AL_DX "\xec"
#define OUT_DX_AL "\xee"

static void ports_are_for_who_has_the_level(void **state)
{
    r->rdx = PORT;
    assert_false(RUN(IN_AL_DX));
    each_begins(NULL);
    a.v->iopl = 1;
    r->rdx = PORT;
    r->rax = 0x1234;
    assert_true(RUN(IN_AL_DX));
    assert_int_equal(r->rax, 0x12ff); /* a port that is not the domain's has nothing behind it */
    assert_true(RUN(OUT_DX_AL));
}

static void ports_are_for_who_has_the_bit(void **state)
{
    uint8_t *bits = machine_frame(a.m[BITMAP]);

    memset(bits, 0xff, PAGE_SIZE);
    a.v->iobitmap = VA(BITMAP);
    a.v->iobitmap_ports = PORT + 1;
    r->rdx = PORT;
    assert_false(RUN(IN_AL_DX));
    bits[PORT / 8] &= (uint8_t)~(1u << PORT % 8);
    each_begins(NULL);
    a.v->iobitmap = VA(BITMAP);
    a.v->iobitmap_ports = PORT + 1;
    r->rdx = PORT;
    assert_true(RUN(IN_AL_DX));
    assert_false(RUN("\x66\xed"));     /* two ports, of which the second is beyond the bitmap */
    each_begins(NULL);
    a.v->iobitmap = VA(200);           /* nothing is there */
    a.v->iobitmap_ports = 65536;
    r->rdx = PORT;
    assert_false(RUN(IN_AL_DX));
}

static void the_pci_address_is_its_own_copy(void **state)
{
    a.v->iopl = 3;
    r->rdx = 0xcf8;
    r->rax = 0x80001234;
    assert_true(RUN("\xef"));
    assert_int_equal(a.d->pci_address, 0); /* it has no devices */
    a.d->all_io = true;
    assert_true(RUN("\xef"));
    assert_int_equal(a.d->pci_address, 0x80001234);
    r->rax = 0;
    assert_true(RUN("\xed"));
    assert_int_equal(r->rax, 0x80001234);
    r->rdx = 0xcfc;
    assert_true(RUN("\xed"));
    assert_true(RUN("\xef"));
    r->rdx = 0x80;
    assert_true(RUN("\xec"));
    assert_true(RUN("\xee"));
    a.d->all_io = false;
}

/* ---- Registers ---- */

static void bases_are_read_and_written_by_msr(void **state)
{
    static const uint32_t msr[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE };

    for (unsigned i = 0; i < 3; i++) {
        r->rcx = msr[i];
        r->rax = 0x1000 * (i + 1);
        r->rdx = 0x12;
        assert_true(RUN("\x0f\x30"));
    }
    for (unsigned i = 0; i < 3; i++) {
        r->rcx = msr[i];
        assert_true(RUN("\x0f\x32"));
        assert_int_equal(r->rdx << 32 | r->rax, 0x1200001000 + 0x1000 * i);
    }
    r->rcx = MSR_FS_BASE;
    r->rdx = 0x8000;                   /* not canonical */
    assert_false(RUN("\x0f\x30"));
}

static void control_registers_hold_what_a_guest_may_set(void **state)
{
    r->rax = 0xdeadbeef000;
    assert_true(RUN("\x0f\x22\xd0")); /* cr2 */
    assert_true(RUN("\x0f\x20\xd3"));
    assert_int_equal(r->rbx, 0xdeadbeef000);
    r->rax = ~0ull;
    assert_true(RUN("\x0f\x22\xe0")); /* cr4 */
    assert_int_equal(a.v->cr4 & ~0x4000cull, 0); /* its policy has no FSGSBASE */
    assert_false(RUN("\x44\x0f\x20\xc0")); /* cr8 */
}

static void xcr0_is_what_the_cpu_has(void **state)
{
    a.v->cr4 = 0;
    r->rax = 1;
    (void)RUN("\x0f\x01\xd1");
    assert_int_not_equal(r->rip, VA(CODE) + 3); /* #UD without OSXSAVE */
    each_begins(NULL);
    a.v->cr4 = 1u << 18;
    for (unsigned i = 0; i < 4; i++) {
        static const uint64_t bad[] = { 0, 5, ~0ull >> 32, 0x21 };

        r->rax = bad[i];
        assert_false(RUN("\x0f\x01\xd1"));
        each_begins(NULL);
    }
    r->rcx = 1;
    r->rax = 1;
    assert_false(RUN("\x0f\x01\xd1"));
    each_begins(NULL);
    r->rax = 1;
    assert_false(RUN("\x0f\x01\xd1")); /* this domain's CPU has no XSAVE at all */
}

/* ---- The short way to the same ---- */

/* Bytes of n, at the start of a page; done by the short way or not; the registers afterwards. */
static bool run_plain(const char *bytes, size_t n, struct cpu_regs *after)
{
    bool done;

    memcpy(machine_frame(a.m[CODE]), bytes, n);
    r->rip = VA(CODE);
    r->rflags = X86_EFLAGS_IF | X86_EFLAGS_MBS | X86_EFLAGS_RF;
    machine_set_mode(a.v, true);
    done = privop_plain(a.v);
    *after = *r;
    return done;
}

static void start_with(uint64_t rcx, uint64_t rdx)
{
    each_begins(NULL);
    a.v->iopl = 1;
    a.v->cr0 = 8;
    r->rax = 0x1122334455667788;
    r->rbx = 0x99aabbccddeeff00;
    r->rcx = rcx;
    r->rdx = rdx;
}

/* Each instruction is done as the general way does it when a prefix that means nothing hides it; or by neither. */
static void plain_instructions_do_what_the_others_do(void **state)
{
    static const struct { const char *bytes; size_t n; uint64_t rcx, rdx; bool done; } t[] = {
        { "\x2e\xec", 2, 0, PORT, true },           { "\x2e\xee", 2, 0, PORT, true },
        { "\x2e\xed", 2, 0, 0xcf8, true },          { "\x2e\xef", 2, 0, PORT, true },
        { "\x2e\xe4\x80", 3, 0, 0, true },          { "\x2e\xe5\x80", 3, 0, 0, true },
        { "\x2e\xe6\x80", 3, 0, 0, true },          { "\x2e\xe7\x80", 3, 0, 0, true },
        { "\x2e\x0f\x06", 3, 0, 0, true },
        { "\x2e\x0f\x20\xc3", 4, 0, 0, true },     { "\x2e\x0f\x20\xd4", 4, 0, 0, true },
        { "\x2e\x0f\x20\xd9", 4, 0, 0, true },     { "\x2e\x0f\x20\x22", 4, 0, 0, true },
        { "\x2e\x0f\x20\xc8", 4, 0, 0, false },    { "\x2e\x0f\x20\xf8", 4, 0, 0, false },
        { "\x2e\x0f\x32", 3, MSR_FS_BASE, 0, true }, { "\x2e\x0f\x32", 3, 0x12345, 0, false },
        { "\x2e\x0f\x30", 3, MSR_GS_BASE, 0x12, true }, { "\x2e\x0f\x30", 3, 0x12345, 0x12, false },
    };

    for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct cpu_regs plain, general;
        uint32_t cr0;

        start_with(t[i].rcx, t[i].rdx);
        assert_int_equal(run_plain(t[i].bytes + 1, t[i].n - 1, &plain), t[i].done);
        assert_int_equal(plain.rip, VA(CODE) + (t[i].done ? t[i].n - 1 : 0));
        cr0 = a.v->cr0;
        start_with(t[i].rcx, t[i].rdx);
        r->rflags |= X86_EFLAGS_RF;
        assert_int_equal(run(t[i].bytes, t[i].n), t[i].done);
        general = *r;
        if (!t[i].done)
            continue;
        general.rip--;
        assert_int_equal(plain.rflags, general.rflags);
        assert_memory_equal(&plain, &general, sizeof(plain));
        assert_int_equal(cr0, a.v->cr0);
    }
}

static void what_is_not_plain_is_left_alone(void **state)
{
    struct cpu_regs after;

    start_with(0, 0);
    assert_false(run_plain("\x0f\x22\xc0", 3, &after));
    assert_int_equal(after.rip, VA(CODE));
    start_with(0, PORT);
    a.v->iopl = 0;
    assert_false(run_plain("\xec", 1, &after));
    start_with(0, 0);
    r->rip = VA(200);                  /* nothing is there */
    r->rflags = X86_EFLAGS_MBS;
    assert_false(privop_plain(a.v));
    start_with(MSR_FS_BASE, 0);
    memcpy(machine_frame(a.m[CODE]), "\x0f\x32", 2);
    r->rip = VA(CODE);
    r->rflags = X86_EFLAGS_MBS | X86_EFLAGS_TF;
    assert_false(privop_plain(a.v));
}

/* ---- CPUID that is asked for by the prefix ---- */

static struct cpuid_leaf forced_cpuid(uint32_t leaf, uint32_t subleaf)
{
    each_begins(NULL);
    memcpy(machine_frame(a.m[CODE]), "\x0f\x0bxen\x0f\xa2", 7);
    r->rip = VA(CODE);
    r->rflags = X86_EFLAGS_IF | X86_EFLAGS_MBS;
    r->rax = leaf;
    r->rcx = subleaf;
    machine_set_mode(a.v, true);
    assert_true(privop_forced_cpuid(a.v));
    assert_int_equal(r->rip, VA(CODE) + 7);
    return (struct cpuid_leaf){ (uint32_t)r->rax, (uint32_t)r->rbx, (uint32_t)r->rcx, (uint32_t)r->rdx };
}

/* Asked twice, with another leaf of the same place between: the answer is that of privop_cpuid() each time. */
static void forced_cpuid_remembers_what_stays(void **state)
{
    static const uint32_t leaf[] = { 0, 1, 7, 0xd, 0x40000000, 0x40000003, 0x80000001, 0x80000008 };

    for (unsigned i = 0; i < 4 * sizeof(leaf) / sizeof(leaf[0]); i++) {
        uint32_t l = leaf[i / 2 % (sizeof(leaf) / sizeof(leaf[0]))] + 16 * (i & 1);
        struct cpuid_leaf said = forced_cpuid(l, 0), is;

        privop_cpuid(a.v, l, 0, &is);
        assert_memory_equal(&said, &is, sizeof(is));
    }
    a.v->xcr0 = 1;
    (void)forced_cpuid(0xd, 0);
    for (unsigned i = 0; i < CPUID_KNOWN; i++) {
        const struct cpuid_known *k = &a.v->cpuid_known[i];

        assert_false(k->valid && (k->leaf == 0xd || k->leaf >> 28 == 4));
    }
    (void)forced_cpuid(1, 0);
    assert_true(a.v->cpuid_known[1].valid && a.v->cpuid_known[1].leaf == 1);
}

/* ---- Which code is 64-bit ---- */

static void the_code_segment_says_how_wide_code_is(void **state)
{
    const uint64_t code = DESC_P | DESC_S | DESC_TYPE_CODE | DESC_DPL;
    uint64_t *t = machine_frame(a.m[TABLE]), frame = a.m[TABLE].n;

    r->cs = FLAT_RING3_CS64;
    assert_true(privop_code64(a.v));
    r->cs = FLAT_RING3_CS32;
    assert_false(privop_code64(a.v));
    assert_int_equal(pt_set(a.m[3], TABLE, 0, a.d, a.d, false), 0); /* it is mapped writable no more */
    t[5] = code | DESC_L;
    t[6] = code | DESC_DB;
    assert_int_equal(vcpu_set_gdt(a.v, &frame, 512), 0);
    r->cs = 5 * 8 | 3;
    assert_true(privop_code64(a.v));
    r->cs = 6 * 8 | 3;
    assert_false(privop_code64(a.v));
    r->cs = 600 * 8 | 3;
    assert_false(privop_code64(a.v));
    r->cs = 5 * 8 | 7; /* there is no LDT */
    assert_false(privop_code64(a.v));
    assert_int_equal(vcpu_set_gdt(a.v, NULL, 0), 0);
}

#define T(f) cmocka_unit_test_setup(f, each_begins)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ports_are_for_who_has_the_level),
        T(ports_are_for_who_has_the_bit),
        T(the_pci_address_is_its_own_copy),
        T(bases_are_read_and_written_by_msr),
        T(control_registers_hold_what_a_guest_may_set),
        T(xcr0_is_what_the_cpu_has),
        T(plain_instructions_do_what_the_others_do),
        T(what_is_not_plain_is_left_alone),
        T(forced_cpuid_remembers_what_stays),
        T(the_code_segment_says_how_wide_code_is),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
