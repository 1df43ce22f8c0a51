/* SPDX-License-Identifier: BSD-2-Clause */
/* abi/vcpu_op.c and abi/sched_op.c: which answers guests get, from the structures to the core and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>

#include "tests/unit/fake_sched.h"

#include "abi/hypercall.h"
#include "core/runq.c"
#include "core/sched.c"
#include "core/sched_cap.c"
#include "core/sched_set.c"
#include "core/vcpu_run.c"
#include "core/watchdog.c"

#define rows vcpu_rows
#include "abi/vcpu_op.c"
#undef rows
#define rows sched_rows
#include "abi/sched_op.c"
#undef rows

static struct domain d;
static struct vcpu v[2];
static struct shared_info shared;
static int context_error, shutdown_seen;
static domid_t shutdown_domain;

void machine_relax(void) { sched_yield(); }
bool type_drain(struct vcpu *w) { return true; }
void bounce_pending(struct vcpu *w) { }
void virq_raise(struct vcpu *w, unsigned virq) { fake_virqs++; }

int port_is_pending(struct domain *owner, evtchn_port_t port)
{
    return port && port < 32 ? port == 7 : -EINVAL;
}

void port_poll_begin(struct vcpu *w, uint32_t port) { atomic_store(&w->poll_port, port); }
long refuse(struct vcpu *w, long err, const char *fmt, ...) { return err; }

void port_poll_wake(struct vcpu *w)
{
    if (atomic_exchange(&w->poll_port, 0))
        vcpu_pause_clear(w, PAUSE_BLOCKED);
}

void domain_shutdown(struct domain *victim, int code)
{
    shutdown_domain = victim->id;
    shutdown_seen = code;
}

struct domain *domain_target(struct domain *caller, domid_t id, int *err)
{
    static struct domain other = { .id = 9 };

    *err = id == 9 || id == DOMID_SELF ? caller->privileges || id == DOMID_SELF ? 0 : -EPERM : -ESRCH;
    return *err ? NULL : id == 9 ? &other : caller;
}

/* The guest's memory is ours; what lies below one page is not mapped. */
size_t machine_copy_from_guest(void *to, guest_ptr_t from, size_t n)
{
    if (from.va < PAGE_SIZE)
        return n;
    memcpy(to, (void *)from.va, n);
    return 0;
}

int vcpu_set_context(struct vcpu *w, const struct vcpu_guest_context *c)
{
    if (!context_error)
        w->initialised = c->flags == VGCF_in_kernel;
    return context_error;
}

long subop_run(struct hypercall *hc, const struct subop *row, unsigned n, uint64_t cmd, guest_ptr_t arg)
{
    for (unsigned i = 0; i < n; i++) {
        if (row[i].cmd != cmd)
            continue;
        if (!domain_may(hc->d, row[i].needs))
            return -EPERM;
        return row[i].run(hc, (void *)arg.va);
    }
    return -ENOSYS;
}

static long vcpu_op(unsigned cmd, uint64_t id, void *arg)
{
    struct hypercall hc = { .v = &v[0], .d = &d, .arg = { cmd, id, (uintptr_t)arg } };

    return do_vcpu_op(&hc);
}

static long sched_op(unsigned cmd, void *arg)
{
    struct hypercall hc = { .v = &v[0], .d = &d, .arg = { cmd, (uintptr_t)arg } };

    return do_sched_op(&hc);
}

/* A domain of two vCPUs; the first runs on CPU 0. */
static void open_domain(void)
{
    fake_machine(2, true);
    d = (struct domain){ .id = 3, .max_vcpus = 2, .shared = &shared };
    memset(&shared, 0, sizeof(shared));
    memset(fake_refs, 0, sizeof(fake_refs));
    context_error = 0;
    shutdown_seen = -1;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sched_init_cpu(i), 0);
        v[i] = (struct vcpu){ .id = i, .domain = &d, .pause = PAUSE_DOWN };
        assert_int_equal(sched_init_vcpu(&v[i]), 0);
        d.vcpu[i] = &v[i];
    }
    v[0].initialised = true;
    v[0].hard = 1;
    vcpu_pause_clear(&v[0], PAUSE_DOWN);
    fake_pcpu[0].current = sched_pick(NULL);
    assert_ptr_equal(fake_pcpu[0].current, &v[0]);
}

static void close_domain(void)
{
    watchdogs_kill(&d);
    for (unsigned i = 0; i < 2; i++) {
        vcpu_pause_set(&v[i], PAUSE_DOMAIN);
        vcpu_run_fini(&v[i]);
        vcpu_areas_drop(&v[i]);
    }
    if (v[0].running_on == 0) {
        assert_null(sched_pick(&v[0]));
        sched_switched(&v[0]);
    }
    for (unsigned i = 0; i < 2; i++) {
        sched_fini_vcpu(&v[i]);
        free(fake_pcpu[i].runq);
    }
    fake_machine_end();
}

static void guests_count_their_vcpus_by_is_up(void **state)
{
    open_domain();
    assert_int_equal(vcpu_op(VCPUOP_is_up, 0, NULL), 1);
    assert_int_equal(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    assert_int_equal(vcpu_op(VCPUOP_is_up, 2, NULL), -ENOENT);
    assert_int_equal(vcpu_op(VCPUOP_is_up, 8191, NULL), -ENOENT);
    assert_int_equal(vcpu_op(VCPUOP_is_up, ~0ull, NULL), -ENOENT);
    assert_int_equal(vcpu_op(77, 0, NULL), -ENOSYS);
    close_domain();
}

static void a_vcpu_is_given_a_context_then_comes_up(void **state)
{
    static struct vcpu_guest_context c = { .flags = VGCF_in_kernel };

    open_domain();
    assert_int_equal(vcpu_op(VCPUOP_up, 1, NULL), -EINVAL);
    assert_int_equal(vcpu_op(VCPUOP_initialise, 1, (void *)8), -EFAULT);
    context_error = -ERESTART;
    assert_int_equal(vcpu_op(VCPUOP_initialise, 1, &c), -ERESTART);
    context_error = -EINVAL;
    assert_int_equal(vcpu_op(VCPUOP_initialise, 1, &c), -EINVAL);
    context_error = 0;
    fake_fail_alloc = 1;
    assert_int_equal(vcpu_op(VCPUOP_initialise, 1, &c), -ENOMEM);
    assert_int_equal(vcpu_op(VCPUOP_initialise, 1, &c), 0);
    assert_int_equal(vcpu_op(VCPUOP_initialise, 1, &c), -EEXIST);
    assert_int_equal(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    assert_int_equal(vcpu_op(VCPUOP_up, 1, NULL), 0);
    assert_int_equal(vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    assert_int_equal(vcpu_op(VCPUOP_down, 1, NULL), 0);
    assert_int_equal(shutdown_seen, -1);
    /* The last one: nobody could wake the domain. */
    assert_int_equal(vcpu_op(VCPUOP_down, 0, NULL), 0);
    assert_int_equal(shutdown_seen, SHUTDOWN_poweroff);
    close_domain();
}

static void timers_take_past_times_and_refuse_bad_periods(void **state)
{
    struct vcpu_set_singleshot_timer once = { .timeout_abs_ns = 5 };
    struct vcpu_set_periodic_timer often = { .period_ns = MS(1) - 1 };
    struct hypercall hc = { .v = &v[0], .d = &d };

    open_domain();
    fake_now(SEC(1));
    assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 0, &once), 0);
    timers_run();
    assert_int_equal(fake_virqs, 1);
    once.flags = VCPU_SSHOTTMR_future;
    assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 0, &once), -ETIME);
    once.timeout_abs_ns = SEC(2);
    assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 0, &once), 0);
    assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 1, &once), -EINVAL);
    assert_int_equal(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    assert_int_equal(vcpu_op(VCPUOP_stop_singleshot_timer, 1, NULL), -EINVAL);
    fake_now(SEC(3));
    timers_run();
    assert_int_equal(fake_virqs, 1);
    hc.arg[0] = SEC(4);
    assert_int_equal(do_set_timer_op(&hc), 0);
    hc.arg[0] = 0;
    assert_int_equal(do_set_timer_op(&hc), 0);
    hc.arg[0] = SEC(5);
    fake_now(SEC(4));
    timers_run();
    assert_int_equal(fake_virqs, 1);
    assert_int_equal(do_set_timer_op(&hc), 0);
    fake_now(SEC(5));
    timers_run();
    assert_int_equal(fake_virqs, 2);
    assert_int_equal(vcpu_op(VCPUOP_set_periodic_timer, 0, &often), -EINVAL);
    often.period_ns = ~0ull;
    assert_int_equal(vcpu_op(VCPUOP_set_periodic_timer, 0, &often), -EINVAL);
    assert_int_equal(vcpu_op(VCPUOP_stop_periodic_timer, 1, NULL), 0);
    assert_int_equal(do_sched_op_compat(&hc), -ENOSYS);
    close_domain();
}

static void areas_show_at_once_what_they_are_for(void **state)
{
    struct vcpu_register_runstate_memory_area run = { .addr.p = 4 * PAGE_SIZE };
    struct vcpu_register_time_memory_area time = { .addr.p = 5 * PAGE_SIZE };
    struct vcpu_register_vcpu_info info = { .mfn = 6 };
    struct vcpu_runstate_info r;

    open_domain();
    fake_now(SEC(1));
    assert_int_equal(vcpu_op(VCPUOP_register_runstate_memory_area, 1, &run), 0);
    assert_int_equal(((struct vcpu_runstate_info *)fake_page[4])->state, RUNSTATE_offline);
    assert_int_equal(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &run), 0);
    assert_int_equal(((struct vcpu_runstate_info *)fake_page[4])->state, RUNSTATE_running);
    assert_int_equal(vcpu_op(VCPUOP_get_runstate_info, 0, &r), 0);
    assert_int_equal(r.time[RUNSTATE_running], SEC(1));
    assert_int_equal(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &time), 0);
    assert_int_equal(((struct vcpu_time_info *)fake_page[5])->flags, XEN_PVCLOCK_TSC_STABLE_BIT);
    assert_int_equal(vcpu_op(VCPUOP_register_vcpu_info, 0, &info), 0);
    assert_int_equal(((struct vcpu_info *)fake_page[6])->time.flags, XEN_PVCLOCK_TSC_STABLE_BIT);
    info.offset = 64;
    assert_int_equal(vcpu_op(VCPUOP_register_vcpu_info, 0, &info), -EINVAL);
    assert_int_equal(vcpu_op(VCPUOP_register_vcpu_info, 1, &info), 0);
    v[1].initialised = true;
    assert_int_equal(vcpu_op(VCPUOP_up, 1, NULL), 0);
    assert_int_equal(vcpu_op(VCPUOP_register_vcpu_info, 1, &info), -EINVAL);
    run.addr.p = 4;
    assert_int_equal(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &run), -EINVAL);
    close_domain();
}

static void nmi_and_physical_id(void **state)
{
    struct vcpu_get_physid id;

    open_domain();
    assert_int_equal(vcpu_op(VCPUOP_send_nmi, 1, NULL), 0);
    assert_true(v[1].nmi_pending);
    assert_int_equal(vcpu_op(VCPUOP_get_physid, 0, &id), -EPERM);
    d.privileges = PRIV_ALL;
    fake_pcpu[0].apic_id = 5;
    fake_pcpu[0].acpi_id = 6;
    assert_int_equal(vcpu_op(VCPUOP_get_physid, 0, &id), 0);
    assert_true(id.phys_id == (6ull << 32 | 5));
    assert_int_equal(vcpu_op(VCPUOP_get_physid, 1, &id), -EINVAL);
    close_domain();
}

static void polls_and_blocks(void **state)
{
    evtchn_port_t ports[] = { 3, 7, 99 };
    struct sched_poll p = { .nr_ports = 129 };

    open_domain();
    v[0].info->evtchn_upcall_mask = 1;
    assert_int_equal(sched_op(SCHEDOP_poll, &p), -EINVAL);
    set_xen_guest_handle(p.ports, (evtchn_port_t *)8);
    p.nr_ports = 1;
    assert_int_equal(sched_op(SCHEDOP_poll, &p), -EFAULT);
    set_xen_guest_handle(p.ports, ports);
    p.nr_ports = 3;
    assert_int_equal(sched_op(SCHEDOP_poll, &p), 0); /* the second is pending: the third is not looked at */
    assert_int_equal(v[0].pause, 0);
    set_xen_guest_handle(p.ports, &ports[2]);
    p.nr_ports = 1;
    assert_int_equal(sched_op(SCHEDOP_poll, &p), -EINVAL);
    assert_int_equal(v[0].pause, 0);
    set_xen_guest_handle(p.ports, ports);
    p.timeout = MS(1);
    assert_int_equal(sched_op(SCHEDOP_poll, &p), 0);
    assert_int_equal(v[0].pause, PAUSE_BLOCKED);
    fake_now(MS(1));
    timers_run();
    assert_int_equal(v[0].pause, 0);
    assert_int_equal(sched_op(SCHEDOP_yield, NULL), 0);
    assert_int_equal(sched_op(SCHEDOP_block, NULL), 0);
    assert_int_equal(v[0].pause, PAUSE_BLOCKED);
    assert_int_equal(v[0].info->evtchn_upcall_mask, 0);
    vcpu_notify(&v[0]);
    assert_int_equal(v[0].pause, 0);
    close_domain();
}

static void shutdowns_watchdogs_and_pins(void **state)
{
    struct sched_shutdown s = { .reason = 256 };
    struct sched_remote_shutdown r = { .domain_id = 9, .reason = SHUTDOWN_reboot };
    struct sched_watchdog w = { .id = ~0u, .timeout = 0 };
    struct sched_pin_override pin = { .pcpu = 1 };

    open_domain();
    assert_int_equal(sched_op(SCHEDOP_shutdown, &s), -EINVAL);
    assert_int_equal(sched_op(SCHEDOP_shutdown_code, &s), -EINVAL);
    assert_int_equal(sched_op(SCHEDOP_remote_shutdown, &r), -EPERM);
    d.privileges = PRIV_ALL;
    assert_int_equal(sched_op(SCHEDOP_remote_shutdown, &r), 0);
    assert_int_equal(shutdown_domain, 9);
    assert_int_equal(shutdown_seen, SHUTDOWN_reboot);
    r.domain_id = 10;
    assert_int_equal(sched_op(SCHEDOP_remote_shutdown, &r), -ESRCH);
    r.domain_id = 9;
    r.reason = 256;
    assert_int_equal(sched_op(SCHEDOP_remote_shutdown, &r), -EINVAL);
    s.reason = SHUTDOWN_suspend;
    assert_int_equal(sched_op(SCHEDOP_shutdown, &s), 0);
    assert_int_equal(shutdown_seen, SHUTDOWN_suspend);
    s.reason = SHUTDOWN_crash;
    assert_int_equal(sched_op(SCHEDOP_shutdown_code, &s), 0);
    s.reason = SHUTDOWN_poweroff;
    assert_int_equal(sched_op(SCHEDOP_shutdown, &s), 0);
    assert_int_equal(shutdown_seen, SHUTDOWN_crash);
    /* By this a driver tells that there are watchdogs. */
    assert_int_equal(sched_op(SCHEDOP_watchdog, &w), -EINVAL);
    w.id = 0;
    assert_int_equal(sched_op(SCHEDOP_watchdog, &w), -EINVAL);
    w.timeout = 30;
    assert_int_equal(sched_op(SCHEDOP_watchdog, &w), 1);
    w.id = 1;
    assert_int_equal(sched_op(SCHEDOP_watchdog, &w), 0);
    w.timeout = 0;
    assert_int_equal(sched_op(SCHEDOP_watchdog, &w), 0);
    assert_int_equal(sched_op(SCHEDOP_watchdog, &w), -EINVAL);
    assert_int_equal(sched_op(SCHEDOP_pin_override, &pin), 0);
    assert_int_equal(v[0].hard, 2);
    d.privileges = 0;
    assert_int_equal(sched_op(SCHEDOP_pin_override, &pin), -EPERM);
    assert_int_equal(sched_op(99, NULL), -ENOSYS);
    close_domain();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guests_count_their_vcpus_by_is_up),
        cmocka_unit_test(a_vcpu_is_given_a_context_then_comes_up),
        cmocka_unit_test(timers_take_past_times_and_refuse_bad_periods),
        cmocka_unit_test(areas_show_at_once_what_they_are_for),
        cmocka_unit_test(nmi_and_physical_id),
        cmocka_unit_test(polls_and_blocks),
        cmocka_unit_test(shutdowns_watchdogs_and_pins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
