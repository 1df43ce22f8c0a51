/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abi/event_channel.c: each command reaches its function with the right arguments, the structures carry
 * results back, and other domains are reached only with the privilege for it. The ports below are the real
 * ones, 2-level and FIFO.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "tests/unit/fake_core.h"

#include "tests/unit/fake_domain.h"

#include "abi/event_channel.c"
#include "core/evtchn_2l.c"
#include "core/fifo.c"
#include "core/irqs.h"
#include "core/lock.c"
#include "core/port.c"
#include "core/virq.c"

unsigned irqs_count(void) { return 16; }
bool irqs_is_mapped(const struct domain *d, unsigned pirq) { return d && pirq < 8; }

int machine_pirq_bind(struct domain *d, unsigned pirq, bool share)
{
    (void)d;
    return share ? 0 : -(int)pirq;
}

void machine_pirq_unbind(struct domain *d, unsigned pirq)
{
    (void)d;
    (void)pirq;
}

struct domain *domain_target(struct domain *caller, domid_t id, int *err)
{
    struct domain *d = domain_get(id == DOMID_SELF ? caller->id : id);

    *err = d ? 0 : -ESRCH;
    if (d && d != caller && !domain_may(caller, PRIV_CONTROL)) {
        domain_put(d);
        *err = -EPERM;
        return NULL;
    }
    return d;
}

long refuse(struct vcpu *v, long err, const char *fmt, ...)
{
    (void)v;
    (void)fmt;
    return err;
}

/* The "guest's memory" is ours. */
size_t machine_copy_from_guest(void *to, guest_ptr_t from, size_t n)
{
    memcpy(to, (void *)(uintptr_t)from.va, n);
    return 0;
}

size_t machine_copy_to_guest(guest_ptr_t to, const void *from, size_t n)
{
    memcpy((void *)(uintptr_t)to.va, from, n);
    return 0;
}

long subop_run(struct hypercall *hc, const struct subop *table, unsigned n, uint64_t cmd, guest_ptr_t arg)
{
    for (unsigned i = 0; i < n; i++)
        if (table[i].cmd == cmd)
            return table[i].run(hc, (void *)(uintptr_t)arg.va);
    return -ENOSYS;
}

static struct domain *dom, *other;

static int setup(void **state)
{
    (void)state;
    fake_machine(64);
    dom = fake_domain(0, 1, ~0u);
    other = fake_domain(5, 1, 1024);
    dom->privileges = PRIV_ALL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_domain_kill(dom);
    fake_domain_kill(other);
    assert_int_equal(fake_memory, 0);
    return 0;
}

static long call(struct domain *d, unsigned cmd, void *arg)
{
    struct hypercall hc = { .v = d->vcpu[0], .d = d, .arg = { cmd, (uintptr_t)arg } };

    return do_event_channel_op(&hc);
}

static void a_channel_as_the_tools_make_it(void **state)
{
    struct evtchn_alloc_unbound alloc = { .dom = 5, .remote_dom = 0 };
    struct evtchn_bind_interdomain bind = { .remote_dom = 5 };
    struct evtchn_status st = { .dom = DOMID_SELF };
    struct evtchn_bind_vcpu vcpu = { .vcpu = 1 };
    struct evtchn_send ping;
    struct evtchn_unmask open;
    struct evtchn_close end;

    (void)state;
    assert_int_equal(call(dom, EVTCHNOP_alloc_unbound, &alloc), 0);
    assert_int_equal(alloc.port, 1);
    bind.remote_port = alloc.port;
    assert_int_equal(call(dom, EVTCHNOP_bind_interdomain, &bind), 0);
    st.port = bind.local_port;
    assert_int_equal(call(dom, EVTCHNOP_status, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_interdomain);
    assert_int_equal(st.u.interdomain.dom, 5);
    ping.port = bind.local_port;
    assert_int_equal(call(dom, EVTCHNOP_send, &ping), 0);
    assert_int_equal(port_is_pending(other, 1), 1);
    vcpu.port = open.port = end.port = bind.local_port;
    assert_int_equal(call(dom, EVTCHNOP_bind_vcpu, &vcpu), -ENOENT);
    assert_int_equal(call(dom, EVTCHNOP_unmask, &open), 0);
    assert_int_equal(call(dom, EVTCHNOP_close, &end), 0);
    assert_int_equal(call(dom, EVTCHNOP_close, &end), -EINVAL);
    assert_int_equal(call(dom, EVTCHNOP_send, &ping), -EINVAL);
    assert_int_equal(dom->refs, 1);
    assert_int_equal(other->refs, 1);
}

static void self_is_the_caller(void **state)
{
    struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    struct evtchn_status st = { .dom = DOMID_SELF };

    (void)state;
    assert_int_equal(call(other, EVTCHNOP_alloc_unbound, &alloc), 0);
    st.port = alloc.port;
    assert_int_equal(call(other, EVTCHNOP_status, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_unbound);
    assert_int_equal(st.u.unbound.dom, 5);
}

static void others_need_the_privilege(void **state)
{
    struct evtchn_alloc_unbound alloc = { .dom = 0, .remote_dom = 5 };
    struct evtchn_status st = { .dom = 0, .port = 1 };
    struct evtchn_reset all = { .dom = 0 };

    (void)state;
    assert_int_equal(call(other, EVTCHNOP_alloc_unbound, &alloc), -EPERM);
    assert_int_equal(call(other, EVTCHNOP_status, &st), -EPERM);
    assert_int_equal(call(other, EVTCHNOP_reset, &all), -EPERM);
    alloc.dom = 3;
    assert_int_equal(call(dom, EVTCHNOP_alloc_unbound, &alloc), -ESRCH);
    st.dom = 5;
    assert_int_equal(call(dom, EVTCHNOP_status, &st), -EINVAL);
    assert_int_equal(ports_in_use(dom), 0);
    assert_int_equal(dom->refs, 1);
}

static void interrupts(void **state)
{
    struct evtchn_bind_virq virq = { .virq = VIRQ_DOM_EXC };
    struct evtchn_bind_ipi ipi = { .vcpu = 0 };
    struct evtchn_bind_pirq pirq = { .pirq = 7, .flags = BIND_PIRQ__WILL_SHARE };

    (void)state;
    assert_int_equal(call(dom, EVTCHNOP_bind_virq, &virq), 0);
    assert_int_equal(call(dom, EVTCHNOP_bind_virq, &virq), -EEXIST);
    assert_int_equal(call(dom, EVTCHNOP_bind_ipi, &ipi), 0);
    assert_int_equal(call(dom, EVTCHNOP_bind_pirq, &pirq), 0);
    assert_true(virq.port == 1 && ipi.port == 2 && pirq.port == 3);
    assert_int_equal(call(dom, EVTCHNOP_bind_pirq, &pirq), -EEXIST);
    pirq = (struct evtchn_bind_pirq){ .pirq = 6 };
    assert_int_equal(call(dom, EVTCHNOP_bind_pirq, &pirq), -6); /* as the machine says */
    pirq.flags = 2;
    assert_int_equal(call(dom, EVTCHNOP_bind_pirq, &pirq), -EINVAL);
}

static void fifo_and_back(void **state)
{
    struct evtchn_init_control control = { .control_gfn = 8, .vcpu = 0 };
    struct evtchn_expand_array page = { .array_gfn = 9 };
    struct evtchn_set_priority priority = { .port = 1, .priority = 16 };
    struct evtchn_bind_ipi ipi = { .vcpu = 0 };
    struct evtchn_reset all = { .dom = DOMID_SELF };

    (void)state;
    assert_int_equal(call(dom, EVTCHNOP_bind_ipi, &ipi), 0);
    assert_int_equal(call(dom, EVTCHNOP_expand_array, &page), -EOPNOTSUPP);
    assert_int_equal(call(dom, EVTCHNOP_init_control, &control), 0);
    assert_int_equal(control.link_bits, EVTCHN_FIFO_LINK_BITS);
    assert_int_equal(call(dom, EVTCHNOP_init_control, &control), -EINVAL);
    assert_int_equal(call(dom, EVTCHNOP_expand_array, &page), 0);
    assert_int_equal(call(dom, EVTCHNOP_set_priority, &priority), -EINVAL);
    priority.priority = 15;
    assert_int_equal(call(dom, EVTCHNOP_set_priority, &priority), 0);
    assert_int_equal(call(dom, EVTCHNOP_reset, &all), 0);
    assert_int_equal(call(dom, EVTCHNOP_set_priority, &priority), -ENOSYS);
    assert_int_equal(fake_frame_refs, 0);
    assert_int_equal(call(dom, 14, &all), -ENOSYS);
}

static void the_old_form_takes_the_old_commands(void **state)
{
    struct evtchn_op op = { .cmd = EVTCHNOP_alloc_unbound,
                            .u.alloc_unbound = { .dom = DOMID_SELF, .remote_dom = 5 } };
    struct hypercall hc = { .v = dom->vcpu[0], .d = dom, .arg = { (uintptr_t)&op } };

    (void)state;
    assert_int_equal(do_event_channel_op_compat(&hc), 0);
    assert_int_equal(op.u.alloc_unbound.port, 1);
    op.cmd = EVTCHNOP_reset;
    assert_int_equal(do_event_channel_op_compat(&hc), -ENOSYS);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_channel_as_the_tools_make_it), T(self_is_the_caller), T(others_need_the_privilege), T(interrupts),
        T(fifo_and_back), T(the_old_form_takes_the_old_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
