/* SPDX-License-Identifier: BSD-2-Clause */
/* abi/sysctl_pool.c and the other places where the tools meet CPU pools, as dom0 calls them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"
#include "core/pool.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>

enum { ARGS = 5, MAP = 6 };
#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)

static struct xen_sysctl s;
static struct xen_domctl d;

static long call(unsigned nr, void *arg, size_t size)
{
    struct cpu_regs *r = control.v->regs;
    void *page = machine_frame(control.m[ARGS]);

    host_run(control.v);
    memcpy(page, arg, size);
    r->rax = nr, r->rdi = VA(ARGS);
    do {
        r->rip = 0x1000;
        plenty();
        hypercall_entry(control.v);
        assert_int_equal(this_pcpu()->locks_held, 0);
        hosted_leave(control.v, PLENTY);
    } while (r->rip == 0x1000 - 2);
    memcpy(arg, page, size);
    return (long)r->rax;
}

static uint64_t *map(void) { return machine_frame(control.m[MAP]); }

static long pool(unsigned op, uint32_t id, uint32_t cpu, uint32_t dom, uint32_t sched)
{
    s = (struct xen_sysctl){ .cmd = XEN_SYSCTL_cpupool_op, .interface_version = XEN_SYSCTL_INTERFACE_VERSION };
    s.u.cpupool_op = (struct xen_sysctl_cpupool_op){ .op = op, .cpupool_id = id, .cpu = cpu, .domid = dom,
                                                     .sched_id = sched, .cpumap.nr_bits = 64 };
    set_xen_guest_handle(s.u.cpupool_op.cpumap.bitmap, (uint8_t *)VA(MAP));
    *map() = ~0ull;
    return call(__HYPERVISOR_sysctl, &s, sizeof(s));
}

static long create(uint32_t pool_id, domid_t *id)
{
    long rc;

    d = (struct xen_domctl){ .cmd = XEN_DOMCTL_createdomain, .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
                             .domain = DOMID_INVALID };
    d.u.createdomain = (struct xen_domctl_createdomain){
        .max_vcpus = 1, .max_evtchn_port = 1023, .max_grant_frames = -1, .max_maptrack_frames = -1,
        .grant_opts = XEN_DOMCTL_GRANT_version(2), .cpupool_id = pool_id,
    };
    rc = call(__HYPERVISOR_domctl, &d, sizeof(d));
    *id = d.domain;
    return rc;
}

static long ratelimit(uint32_t id, unsigned cmd, unsigned us, unsigned sched)
{
    memset(&s, 0, sizeof(s));
    s.cmd = XEN_SYSCTL_scheduler_op;
    s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    s.u.scheduler_op.cpupool_id = id;
    s.u.scheduler_op.sched_id = sched;
    s.u.scheduler_op.cmd = cmd;
    s.u.scheduler_op.u.sched_credit2.ratelimit_us = us;
    return call(__HYPERVISOR_sysctl, &s, sizeof(s));
}

static void the_tools_see_and_make_pools(void **state)
{
    enum { CREATE = XEN_SYSCTL_CPUPOOL_OP_CREATE, INFO = XEN_SYSCTL_CPUPOOL_OP_INFO, ANY = POOL_ANY,
           CREDIT2 = XEN_SCHEDULER_CREDIT2 };

    assert_int_equal(pool(INFO, 0, 0, 0, 0), 0);
    assert_int_equal(s.u.cpupool_op.sched_id, CREDIT2);
    assert_int_equal(s.u.cpupool_op.n_dom, 1);
    assert_int_equal(*map(), 3);
    assert_int_equal(pool(INFO, 1, 0, 0, 0), -ENOENT);
    assert_int_equal(pool(99, 0, 0, 0, 0), -ENOSYS);
    assert_int_equal(pool(CREATE, (uint32_t)ANY, 0, 0, XEN_SCHEDULER_CREDIT), -ENOENT);
    assert_int_equal(pool(CREATE, (uint32_t)ANY, 0, 0, CREDIT2), 0);
    assert_int_equal(s.u.cpupool_op.cpupool_id, 1);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 1, 1, 0, 0), -ENODEV);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 0, 1, 0, 0), 0);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0, 0, 0, 0), 0);
    assert_int_equal(*map(), 2);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 1, 1, 0, 0), 0);
    assert_int_equal(pool(INFO, 1, 0, 0, 0), 0);
    assert_int_equal(*map(), 2);
}

static void domains_are_made_in_pools_and_moved(void **state)
{
    domid_t id, other;
    struct domain *dom;

    assert_int_equal(create(7, &other), -ESRCH);
    assert_int_equal(create(1, &id), 0);
    dom = domain_get(id);
    assert_int_equal(dom->sched.pool, 1);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 1, 0, 0, 0), 0);
    assert_int_equal(s.u.cpupool_op.n_dom, 1);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 1, 1, 0, 0), -EBUSY);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 0, 0, 99, 0), -ESRCH);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 5, 0, id, 0), -ENOENT);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 1, 0, 0, 0), -EPERM);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 0, 0, id, 0), 0);
    assert_int_equal(dom->sched.pool, 0);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 1, 0, id, 0), 0);
    domain_put(dom);
    d = (struct xen_domctl){ .cmd = XEN_DOMCTL_destroydomain, .domain = id,
                             .interface_version = XEN_DOMCTL_INTERFACE_VERSION };
    assert_int_equal(call(__HYPERVISOR_domctl, &d, sizeof(d)), 0);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 1, 0, 0, 0), 0);
    assert_int_equal(s.u.cpupool_op.n_dom, 0);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 0, 0, 0, 0), 0);
    assert_int_equal(s.u.cpupool_op.n_dom, 1);
}

static void each_pool_has_a_rate_limit(void **state)
{
    assert_int_equal(ratelimit(1, XEN_SYSCTL_SCHEDOP_putinfo, 3000, XEN_SCHEDULER_CREDIT2), 0);
    assert_int_equal(ratelimit(1, XEN_SYSCTL_SCHEDOP_getinfo, 0, XEN_SCHEDULER_CREDIT2), 0);
    assert_int_equal(s.u.scheduler_op.u.sched_credit2.ratelimit_us, 3000);
    assert_int_equal(ratelimit(0, XEN_SYSCTL_SCHEDOP_getinfo, 0, XEN_SCHEDULER_CREDIT2), 0);
    assert_int_equal(s.u.scheduler_op.u.sched_credit2.ratelimit_us, 1000);
    assert_int_equal(ratelimit(1, XEN_SYSCTL_SCHEDOP_putinfo, 5, XEN_SCHEDULER_CREDIT2), -EINVAL);
    assert_int_equal(ratelimit(1, XEN_SYSCTL_SCHEDOP_getinfo, 0, XEN_SCHEDULER_CREDIT), -EINVAL);
    assert_int_equal(ratelimit(9, XEN_SYSCTL_SCHEDOP_getinfo, 0, XEN_SCHEDULER_CREDIT2), -ESRCH);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 1, 1, 0, 0), 0);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 1, 0, 0, 0), 0);
    assert_int_equal(ratelimit(1, XEN_SYSCTL_SCHEDOP_getinfo, 0, XEN_SCHEDULER_CREDIT2), -ESRCH);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0, 1, 0, 0), 0);
    hosted_check();
}

int main(void)
{
    /* Each goes on from what the one before it left. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tools_see_and_make_pools),
        cmocka_unit_test(domains_are_made_in_pools_and_moved),
        cmocka_unit_test(each_pool_has_a_rate_limit),
    };

    return cmocka_run_group_tests(tests, hosted_setup, NULL);
}
