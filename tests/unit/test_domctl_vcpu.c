/* SPDX-License-Identifier: BSD-2-Clause */
/* abi/domctl_vcpu.c: a vCPU's state as the tools carry it to another host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"

#include <xen/domctl.h>

enum { ARGS = 5, AREA = 6, LDT = 7 };
#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)

static struct guest a;
static struct xen_domctl *op;
static uint64_t *area; /* XCR0, what was ever in it, FXSAVE area of 64 words, XSAVE header */
enum { XCR0 = 0, EVER = 1, HEADER = 2 + 64 };

static long xstate(uint32_t cmd)
{
    struct cpu_regs *r = control.v->regs;

    host_run(control.v);
    *op = (struct xen_domctl){ .cmd = cmd, .domain = 1, .interface_version = XEN_DOMCTL_INTERFACE_VERSION };
    op->u.vcpuextstate.size = cmd == XEN_DOMCTL_getvcpuextstate ? PAGE_SIZE : 592;
    op->u.vcpuextstate.buffer.p = (void *)VA(AREA);
    r->rax = __HYPERVISOR_domctl, r->rdi = VA(ARGS);
    plenty();
    hypercall_entry(control.v);
    hosted_leave(control.v, PLENTY);
    return (long)r->rax;
}

static int setup(void **state)
{
    hosted_begin(HOSTED_RAM);
    guest_create(&a, 1, 0, 8);
    op = machine_frame(control.m[ARGS]);
    area = machine_frame(control.m[AREA]);
    return 0;
}

/* A kernel without XSAVE never writes XCR0 and uses SSE; whoever restores it asks whether the second word admits that. */
static void the_area_has_no_more_than_was_ever_enabled(void **state)
{
    a.v->xcr0 = 1;
    assert_int_equal(xstate(XEN_DOMCTL_getvcpuextstate), 0);
    assert_int_equal(area[XCR0], 1);
    assert_int_equal(area[HEADER], 3);
    assert_int_equal(area[EVER], 3);
    assert_int_equal(xstate(XEN_DOMCTL_setvcpuextstate), 0);
    assert_int_equal(a.v->xcr0, 1);
    hosted_check();
}

/* Who is restored has its LDT again: its selectors may be in use. */
static void a_context_has_the_ldt(void **state)
{
    static struct vcpu_guest_context c;

    guest_start(&a, 7);
    host_run(control.v);
    assert_int_equal(pt_set(a.m[3], LDT, a.m[LDT].n << PAGE_SHIFT | PTE_P | PTE_US, a.d, a.d, false), 0);
    vcpu_get_context(a.v, &c);
    assert_int_equal(c.ldt_ents, 0);
    c.ldt_base = VA(LDT);
    c.ldt_ents = 512;
    assert_int_equal(vcpu_set_context(a.v, &c), 0);
    assert_true(mfn_same(a.v->ldt[0], a.m[LDT]));
    vcpu_get_context(a.v, &c);
    assert_int_equal(c.ldt_base, VA(LDT));
    assert_int_equal(c.ldt_ents, 512);
    c.ldt_base++;
    assert_int_equal(vcpu_set_context(a.v, &c), -EINVAL);
    c.ldt_ents = 8193;
    assert_int_equal(vcpu_set_context(a.v, &c), -EINVAL);
    assert_true(mfn_same(a.v->ldt[0], a.m[LDT]));
    c.ldt_ents = 0; /* the base says nothing then */
    assert_int_equal(vcpu_set_context(a.v, &c), 0);
    assert_true(mfn_same(a.v->ldt[0], MFN_NONE));
    hosted_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_area_has_no_more_than_was_ever_enabled),
                                        cmocka_unit_test(a_context_has_the_ldt) };

    return cmocka_run_group_tests(tests, setup, NULL);
}
