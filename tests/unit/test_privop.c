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
    guest_destroy(&a, control.v, BUDGET_UNITS);
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

/* ---- Which code is 64-bit ---- */

static void the_code_segment_says_how_wide_code_is(void **state)
{
    const uint64_t code = DESC_P | DESC_S | DESC_TYPE_CODE | DESC_DPL;
    uint64_t *t = machine_frame(a.m[TABLE]), frame = a.m[TABLE].n;

    r->cs = FLAT_RING3_CS64;
    assert_true(privop_code64(a.v));
    r->cs = FLAT_RING3_CS32;
    assert_false(privop_code64(a.v));
    assert_int_equal(pt_set(a.v, a.m[3], TABLE, 0, a.d, a.d, false), 0); /* it is mapped writable no more */
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
        T(the_code_segment_says_how_wide_code_is),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
