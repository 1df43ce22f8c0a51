/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an administrator's tools ask, by hypercall from the control domain: counters, use of locks, debug keys,
 * the tree of parameters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include <pthread.h>
#include <stdio.h>
#include <sched.h>
#include <unistd.h>

#include "abi/hypercall.h"
#include "core/debug.h"
#include "core/keys.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/params.h"
#include "core/pool.h"
#include "core/perf.h"
#include "core/port.h"
#include "core/time.h"
#include "core/timer.h"

#include <xen/hypfs.h>
#include <xen/sysctl.h>
#include <xen/version.h>

#define VA(page) ((uint64_t)(page) << PAGE_SHIFT)

enum { PAGES = 64, OP = 20, OUT = 24 };

static struct guest tools;        /* a control domain with room for what it asks */
static struct xen_sysctl *op;     /* at VA(OP) */
static void *out;                 /* at VA(OUT): the rest of its memory; its frames follow each other */

/* Questions to CPUs that nobody plays: to let other programs of this machine go first each time would take minutes on a busy one. */
static void nobody_else(void) { }

static int setup(void **state)
{
    host_relax = nobody_else;
    host_start(HOSTED_CPUS, HOSTED_RAM);
    guest_create(&tools, 0, PRIV_ALL, PAGES);
    guest_start(&tools, PAGES - 8);
    op = machine_frame(tools.m[OP]);
    for (unsigned i = OUT; i + 1 < PAGES - 8; i++)
        assert_int_equal(tools.m[i].n + 1, tools.m[i + 1].n);
    out = machine_frame(tools.m[OUT]);
    debug_keys_init();
    return 0;
}

static unsigned calls; /* how often the guest executed the last one */

static long call(uint64_t nr, uint64_t p0, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    struct cpu_regs *r = tools.v->regs;

    r->rax = nr, r->rdi = p0, r->rsi = p1, r->rdx = p2, r->r10 = p3, r->r8 = p4;
    calls = 0;
    do {
        calls++;
        r->rip = 0x1000;
        plenty();
        host_tsc += MS(1);
        hypercall_entry(tools.v);
        assert_int_equal(this_pcpu()->locks_held, 0);
        hosted_leave(tools.v, PLENTY);
    } while (r->rip == 0x1000 - 2 && calls < 100000);
    return (long)r->rax;
}

static long sysctl(uint32_t cmd)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return call(__HYPERVISOR_sysctl, VA(OP), 0, 0, 0, 0);
}

static void clear(void)
{
    memset(op, 0, sizeof(*op));
    memset(out, 0xee, 8 * PAGE_SIZE);
}

/* ---- Counters ---- */

static long perfc(uint32_t cmd, bool names, bool values)
{
    clear();
    op->u.perfc_op.cmd = cmd;
    if (names)
        set_xen_guest_handle(op->u.perfc_op.desc, (void *)VA(OUT));
    if (values)
        set_xen_guest_handle(op->u.perfc_op.val, (void *)VA(OUT + 4));
    return sysctl(XEN_SYSCTL_perfc_op);
}

/* The value of a counter as xenperf finds it: the i-th of the group of that name. */
static uint32_t counter(const char *name, unsigned i)
{
    const struct xen_sysctl_perfc_desc *d = out;
    const uint32_t *val = (const uint32_t *)((char *)out + 4 * PAGE_SIZE);

    assert_int_equal(perfc(XEN_SYSCTL_PERFCOP_query, true, true), 0);
    for (unsigned k = 0; k < op->u.perfc_op.nr_counters; k++) {
        if (!strcmp(d[k].name, name)) {
            assert_true(i < d[k].nr_vals);
            return val[i];
        }
        val += d[k].nr_vals;
    }
    fail_msg("no counter %s", name);
    return 0;
}

static void counters_are_counted_first(void **state)
{
    uint32_t values = 0, n;

    assert_int_equal(perfc(XEN_SYSCTL_PERFCOP_query, false, false), 0);
    assert_int_equal(op->u.perfc_op.nr_vals, PERF_VALUES);
    n = op->u.perfc_op.nr_counters;
    assert_int_equal(perfc(XEN_SYSCTL_PERFCOP_query, true, false), 0);
    for (unsigned i = 0; i < n; i++)
        values += ((struct xen_sysctl_perfc_desc *)out)[i].nr_vals;
    assert_int_equal(values, PERF_VALUES);
    assert_int_equal(perfc(7, false, false), -EINVAL);
    /* Where nothing is mapped. */
    clear();
    op->u.perfc_op.cmd = XEN_SYSCTL_PERFCOP_query;
    set_xen_guest_handle(op->u.perfc_op.val, (void *)VA(1000));
    assert_int_equal(sysctl(XEN_SYSCTL_perfc_op), -EFAULT);
}

static void hypercalls_are_counted_by_number(void **state)
{
    uint32_t before = counter("hypercalls", __HYPERVISOR_xen_version);

    for (unsigned i = 0; i < 5; i++)
        call(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0, 0);
    assert_int_equal(counter("hypercalls", __HYPERVISOR_xen_version), before + 5);
    call(1000, 0, 0, 0, 0, 0); /* none such: counted nowhere */
    assert_int_equal(counter("hypercalls", PERF_HYPERCALL_MAX - 1), 0);
}

static void all_cpus_count_and_a_reset_begins_anew(void **state)
{
    uint32_t before = counter("events raised", 0);

    pcpus[1]->perf[PERF_EVENTS] += 3;
    assert_int_equal(counter("events raised", 0), before + 3);
    assert_int_equal(perfc(XEN_SYSCTL_PERFCOP_reset, false, false), 0);
    assert_int_equal(counter("events raised", 0), 0);
    pcpus[1]->perf[PERF_EVENTS] += 2;
    assert_int_equal(counter("events raised", 0), 2);
}

static void an_array_keeps_to_its_end(void **state)
{
    uint32_t last = this_pcpu()->perf[PERF_LAST_EXCEPTIONS], after = this_pcpu()->perf[PERF_LAST_EXCEPTIONS + 1];

    perf_count_nth(PERF_EXCEPTIONS, 0x80000000u, PERF_EXCEPTION_MAX);
    assert_int_equal(this_pcpu()->perf[PERF_LAST_EXCEPTIONS], last + 1);
    assert_int_equal(this_pcpu()->perf[PERF_LAST_EXCEPTIONS + 1], after);
}

/* ---- Locks ---- */

static long lockprof(uint32_t cmd, uint32_t room)
{
    clear();
    op->u.lockprof_op.cmd = cmd;
    op->u.lockprof_op.max_elem = room;
    if (room)
        set_xen_guest_handle(op->u.lockprof_op.data, (void *)VA(OUT));
    return sysctl(XEN_SYSCTL_lockprof_op);
}

static struct xen_sysctl_lockprof_data use_of(const char *class)
{
    struct xen_sysctl_lockprof_data *d = out;

    assert_int_equal(lockprof(XEN_SYSCTL_LOCKPROF_query, 40), 0);
    for (unsigned i = 0; i < op->u.lockprof_op.nr_elem; i++)
        if (!strcmp(d[i].name, class))
            return d[i];
    fail_msg("no lock class %s", class);
    return *d;
}

static void locks_count_their_use(void **state)
{
    struct lock l = LOCK_INIT(DEVICE);
    struct xen_sysctl_lockprof_data u;

    assert_int_equal(lockprof(XEN_SYSCTL_LOCKPROF_reset, 0), 0);
    assert_int_equal(use_of("DEVICE").lock_cnt, 0);
    for (unsigned i = 0; i < 4 * LOCK_SAMPLE; i++) {
        lock(&l);
        host_tsc += 1000;
        unlock(&l);
    }
    assert_true(trylock(&l));
    assert_false(trylock(&l));
    unlock(&l);
    u = use_of("DEVICE");
    assert_int_equal(u.lock_cnt, 4 * LOCK_SAMPLE + 1);
    assert_int_equal(u.block_cnt, 0);
    assert_int_equal(u.lock_time, 4 * LOCK_SAMPLE * 1000); /* all, by the sixteenth that are measured */
    assert_int_equal(u.type, LOCKPROF_TYPE_GLOBAL);
    assert_true(op->u.lockprof_op.time >= 4 * LOCK_SAMPLE * 1000);
}

static struct lock contended = LOCK_INIT(DEVICE);

static void *waits(void *arg)
{
    host_cpu = 1;
    lock(&contended);
    unlock(&contended);
    return NULL;
}

static void who_waits_is_counted(void **state)
{
    pthread_t other;

    assert_int_equal(lockprof(XEN_SYSCTL_LOCKPROF_reset, 0), 0);
    lock(&contended);
    assert_int_equal(pthread_create(&other, NULL, waits, NULL), 0);
    while (contended.ticket >> 16 == (contended.ticket & 0xffff) + 1)
        sched_yield();
    usleep(20000); /* most often it has looked at the clock by now */
    host_tsc += 5000;
    unlock(&contended);
    pthread_join(other, NULL);
    assert_int_equal(use_of("DEVICE").lock_cnt, 2);
    assert_int_equal(use_of("DEVICE").block_cnt, 1);
    assert_true(use_of("DEVICE").block_time <= 5000);
}

static void records_that_find_no_room_are_counted(void **state)
{
    struct xen_sysctl_lockprof_data *d = out;

    assert_int_equal(lockprof(XEN_SYSCTL_LOCKPROF_query, 2), 0);
    assert_int_equal(op->u.lockprof_op.nr_elem, LOCK_CLASSES);
    assert_string_equal(d[1].name, "DOMLIST");
    assert_int_equal((uint8_t)d[2].name[0], 0xee);
    assert_int_equal(lockprof(XEN_SYSCTL_LOCKPROF_query, 0), 0);
    assert_int_equal(op->u.lockprof_op.nr_elem, LOCK_CLASSES);
    assert_int_equal(lockprof(9, 0), -EINVAL);
}

/* ---- Debug keys ---- */

static void clock_goes_on(void) { host_tsc += MS(1); }

static char said[256 * 1024]; /* the log since the last press() */

static void read_log(void)
{
    uint64_t at = log_ring_start();
    size_t n = log_ring_read(&at, said, sizeof(said) - 1);

    said[n] = 0;
}

static unsigned lines_with(const char *text)
{
    unsigned n = 0;

    for (const char *p = said; (p = strstr(p, text)); p++)
        n++;
    return n;
}

static long press(const char *keys)
{
    long rc;

    clear();
    log_ring_clear();
    strcpy(out, keys);
    set_xen_guest_handle(op->u.debug_keys.keys, (void *)VA(OUT));
    op->u.debug_keys.nr_keys = (uint32_t)strlen(keys);
    rc = sysctl(XEN_SYSCTL_debug_keys);
    read_log();
    return rc;
}

static void h_lists_the_keys_and_each_works(void **state)
{
    static const char all[] = "qegmuplda0rtT";

    assert_int_equal(press("h"), 0);
    assert_int_equal(lines_with(" key 'q' (ascii '71') => dump domain (and guest debug) info"), 1);
    for (const char *k = all; *k; k++) {
        char key[] = { *k, 0 }, heading[32];

        assert_int_equal(press(key), 0);
        snprintf(heading, sizeof(heading), "'%c' pressed -> ", *k);
        assert_int_equal(lines_with(heading), 1);
        assert_true(lines_with("(XEN)") > 1);
        assert_int_equal(press("*"), 0);
        assert_int_equal(lines_with(heading), 1);
    }
    assert_int_equal(lines_with("'*' pressed"), 1);
    assert_int_equal(lines_with("'P' pressed"), 0); /* does not only look */
}

static void a_key_says_what_there_is(void **state)
{
    struct guest g;

    guest_create(&g, 7, 0, 16);
    assert_int_equal(press("q"), 0);
    assert_int_equal(lines_with("General information for domain 0:"), 1);
    assert_int_equal(lines_with("General information for domain 7:"), 1);
    assert_int_equal(lines_with("VCPU0: CPU"), 2);
    assert_int_equal(press("m"), 0);
    assert_int_equal(lines_with(" MiB in all"), 1);
    guest_destroy(&g, tools.v, PLENTY);
    assert_int_equal(press("q"), 0);
    assert_int_equal(lines_with("domain 7"), 0);
}

/* More ports than one entry may print: the hypercall is executed again, and none is left out or said twice. */
static void a_long_report_is_made_in_pieces(void **state)
{
    enum { PORTS = 900 };
    evtchn_port_t port;
    char text[64];

    for (unsigned i = 0; i < PORTS; i++)
        assert_int_equal(port_alloc_unbound(tools.d, 0, &port), 0);
    assert_int_equal(press("me"), 0);
    assert_true(calls > PORTS / 8 / (PLENTY / 32));
    assert_int_equal(lines_with("'m' pressed"), 1);
    assert_int_equal(lines_with("'e' pressed"), 1);
    for (evtchn_port_t nr = port - 100; nr <= port; nr++) {
        snprintf(text, sizeof(text), "  port %u state", nr);
        assert_int_equal(lines_with(text), 1);
    }
    for (; port; port--)
        (void)port_close(tools.d, port);
}

static void what_the_caller_has_in_other_registers_is_not_taken_for_a_place(void **state)
{
    for (unsigned i = 0; i < 3; i++) {
        static const uint64_t junk[] = { 1, ~0ull, 0xffffffff81000000ull };

        clear();
        log_ring_clear();
        *(char *)out = 'm';
        set_xen_guest_handle(op->u.debug_keys.keys, (void *)VA(OUT));
        op->u.debug_keys.nr_keys = 1;
        op->cmd = XEN_SYSCTL_debug_keys;
        op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        assert_int_equal(call(__HYPERVISOR_sysctl, VA(OP), junk[i], junk[i], junk[i], 0), 0);
        read_log();
        assert_int_equal(lines_with("MiB in all"), 1);
    }
}

/* A caller that says it is somewhere in the middle, anywhere: it comes to an end. */
static void any_place_leads_to_an_end(void **state)
{
    static const uint64_t places[] = { 1, 2, 3, 100, 1ull << 32, 0x7fffull << 32 | 5, ~0ull, 1ull << 56, 255ull << 56,
                                       0x2aull << 56 };

    for (unsigned i = 0; i < ARRAY_SIZE(places); i++)
        for (const char *k = "*qegmpldarthT0"; *k; k++) {
            uint64_t at = places[i];
            unsigned n = 0;

            while (key_run(*k, &at)) {
                assert_true(n++ < 10000);
                clock_goes_on();
            }
        }
}

static void typed_keys_report_from_a_timer(void **state)
{
    unsigned n = 0;

    log_ring_clear();
    key_press('m');
    key_press('!'); /* none such */
    key_press('r');
    read_log();
    assert_int_equal(lines_with("pressed"), 0);
    do {
        clock_goes_on();
        timers_run();
        read_log();
    } while (!lines_with("CPU[01]") && n++ < 100);
    assert_int_equal(lines_with("'m' pressed"), 1);
    assert_int_equal(lines_with("'r' pressed"), 1);
    for (unsigned i = 0; i < 100; i++) /* more than wait: those that find room */
        key_press('m');
    for (unsigned i = 0; i < 100; i++) {
        clock_goes_on();
        timers_run();
    }
    read_log();
    assert_true(lines_with("'m' pressed") > 1);
}

/* ---- hypfs ---- */

static long hypfs(unsigned cmd, const char *path, uint64_t size)
{
    strcpy((char *)op, path);
    return call(__HYPERVISOR_hypfs_op, cmd, VA(OP), strlen(path) + 1, VA(OUT), size);
}

static const struct xen_hypfs_direntry *entry(const char *path)
{
    memset(out, 0xee, PAGE_SIZE);
    assert_int_equal(hypfs(XEN_HYPFS_OP_read, path, PAGE_SIZE), 0);
    return out;
}

static const char *text_of(const char *path)
{
    const struct xen_hypfs_direntry *e = entry(path);

    assert_int_equal(e->type, XEN_HYPFS_TYPE_STRING);
    assert_int_equal(e->content_len, strlen((const char *)(e + 1)) + 1);
    return (const char *)(e + 1);
}

/* The names in a directory, each followed by a blank. */
static const char *names_in(const char *path)
{
    static char all[1024];
    const struct xen_hypfs_direntry *dir = entry(path);
    const char *at = (const char *)(dir + 1), *end = at + dir->content_len;

    assert_int_equal(dir->type, XEN_HYPFS_TYPE_DIR);
    all[0] = 0;
    for (;;) {
        const struct xen_hypfs_dirlistentry *e = (const void *)at;

        strcat(strcat(all, e->name), " ");
        if (!e->off_next)
            break;
        at += e->off_next;
        assert_true(at < end);
    }
    return all;
}

static int set_colour(const char *value, char *text)
{
    if (strcmp(value, "red") && strcmp(value, "blue"))
        return -EINVAL;
    snprintf(text, PARAM_TEXT, "very %s", value);
    return 0;
}

static void the_tree_is_read_by_path(void **state)
{
    param_register("colour", "green", set_colour);
    param_register("dom0_mem", "512M", NULL);
    assert_string_equal(names_in("/"), "buildinfo cpupool params ");
    assert_string_equal(names_in("/buildinfo"), "changeset compileinfo config version ");
    assert_string_equal(names_in("/buildinfo/version"), "extra major minor ");
    assert_string_equal(names_in("/params"), "colour dom0_mem ");
    assert_non_null(strstr(text_of("/buildinfo/changeset"), "Krypton"));
    assert_int_equal(entry("/buildinfo/version/minor")->type, XEN_HYPFS_TYPE_UINT);
    assert_int_equal(*(uint32_t *)((char *)out + sizeof(struct xen_hypfs_direntry)), 17);
    assert_string_equal(text_of("/params/dom0_mem"), "512M");
    assert_int_equal(entry("/params/dom0_mem")->max_write_len, 0);
    assert_true(entry("/params/colour")->max_write_len > 0);
    assert_int_equal(call(__HYPERVISOR_hypfs_op, XEN_HYPFS_OP_get_version, 0, 0, 0, 0), 1);
    assert_int_equal(call(__HYPERVISOR_hypfs_op, XEN_HYPFS_OP_get_version, 1, 0, 0, 0), -EINVAL);
    assert_int_equal(call(__HYPERVISOR_hypfs_op, 3, 0, 0, 0, 0), -ENOSYS);
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const none[] = { "/nothing", "/params/", "/params/nothing", "/buildinfo/version/major/x", "/paramsx",
                                        "//" };

    for (unsigned i = 0; i < ARRAY_SIZE(none); i++)
        assert_int_equal(hypfs(XEN_HYPFS_OP_read, none[i], PAGE_SIZE), -ENOENT);
    assert_int_equal(hypfs(XEN_HYPFS_OP_read, "params", PAGE_SIZE), -EINVAL);
    assert_int_equal(hypfs(XEN_HYPFS_OP_read, "", PAGE_SIZE), -EINVAL);
    strcpy((char *)op, "/params");
    assert_int_equal(call(__HYPERVISOR_hypfs_op, XEN_HYPFS_OP_read, VA(OP), 7, VA(OUT), 100), -EINVAL); /* no end */
    assert_int_equal(call(__HYPERVISOR_hypfs_op, XEN_HYPFS_OP_read, VA(OP), 9, VA(OUT), 100), -EINVAL); /* an early end */
    assert_int_equal(call(__HYPERVISOR_hypfs_op, XEN_HYPFS_OP_read, VA(OP), ~0ull, VA(OUT), 100), -EINVAL);
    assert_int_equal(call(__HYPERVISOR_hypfs_op, XEN_HYPFS_OP_read, VA(1000), 8, VA(OUT), 100), -EFAULT);
    assert_int_equal(call(__HYPERVISOR_hypfs_op, XEN_HYPFS_OP_read, VA(OP), 8, VA(1000), 100), -EFAULT);
}

static void too_little_room_gets_the_size(void **state)
{
    const struct xen_hypfs_direntry *e = out;
    static const char *const some[] = { "/params", "/params/colour", "/buildinfo/version/major" };

    for (unsigned i = 0; i < ARRAY_SIZE(some); i++) {
        uint32_t need = (uint32_t)sizeof(*e) + entry(some[i])->content_len;

        memset(out, 0xee, PAGE_SIZE);
        assert_int_equal(hypfs(XEN_HYPFS_OP_read, some[i], need - 1), -ENOBUFS);
        assert_int_equal(sizeof(*e) + e->content_len, need);
        assert_int_equal(*((uint8_t *)out + sizeof(*e)), 0xee);
        assert_int_equal(hypfs(XEN_HYPFS_OP_read, some[i], need), 0);
        assert_int_equal(hypfs(XEN_HYPFS_OP_read, some[i], sizeof(*e) - 1), -ENOBUFS);
    }
}

static long set(const char *path, const char *value, uint64_t n)
{
    strcpy(out, value);
    return hypfs(XEN_HYPFS_OP_write_contents, path, n);
}

static void parameters_are_set_and_others_are_not(void **state)
{
    assert_int_equal(set("/params/colour", "blue", 5), 0);
    assert_string_equal(text_of("/params/colour"), "very blue");
    assert_int_equal(set("/params/colour", "pink", 5), -EINVAL);
    assert_int_equal(set("/params/colour", "red", 3), -EINVAL);      /* no end */
    assert_int_equal(set("/params/colour", "red", 6), -EINVAL);      /* an early end */
    assert_int_equal(set("/params/colour", "red", 0), -EINVAL);
    assert_int_equal(set("/params/colour", "red", 4096), -ENOSPC);
    assert_string_equal(text_of("/params/colour"), "very blue");
    assert_int_equal(set("/params/dom0_mem", "1G", 3), -EACCES);
    assert_int_equal(set("/buildinfo/changeset", "x", 2), -EACCES);
    assert_int_equal(set("/params", "x", 2), -EACCES);
    assert_int_equal(set("/params/nothing", "x", 2), -ENOENT);
}

static void pools_are_listed_by_number(void **state)
{
    unsigned five = 5;

    assert_string_equal(names_in("/cpupool"), "0 ");
    assert_int_equal(pool_create(&five), 0);
    assert_string_equal(names_in("/cpupool"), "0 5 ");
    assert_string_equal(names_in("/cpupool/5"), "sched-gran ");
    assert_string_equal(text_of("/cpupool/5/sched-gran"), "cpu");
    /* It can be chosen while the pool has no CPU, as long as it is what it is. */
    assert_int_equal(set("/cpupool/0/sched-gran", "cpu", 4), -EBUSY);
    assert_int_equal(set("/cpupool/5/sched-gran", "cpu", 4), 0);
    assert_int_equal(set("/cpupool/5/sched-gran", "core", 5), -EINVAL);
    assert_int_equal(set("/cpupool/5/sched-gran", "something", 10), -ENOSPC);
    assert_int_equal(set("/cpupool/5", "cpu", 4), -EACCES);
    assert_int_equal(pool_destroy(5), 0);
    assert_string_equal(names_in("/cpupool"), "0 ");
    for (unsigned i = 0; i < 3; i++) {
        static const char *const none[] = { "/cpupool/5", "/cpupool/5/sched-gran", "/cpupool/0/nothing" };

        assert_int_equal(hypfs(XEN_HYPFS_OP_read, none[i], PAGE_SIZE), -ENOENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_counted_first),
        cmocka_unit_test(hypercalls_are_counted_by_number),
        cmocka_unit_test(all_cpus_count_and_a_reset_begins_anew),
        cmocka_unit_test(an_array_keeps_to_its_end),
        cmocka_unit_test(locks_count_their_use),
        cmocka_unit_test(who_waits_is_counted),
        cmocka_unit_test(records_that_find_no_room_are_counted),
        cmocka_unit_test(h_lists_the_keys_and_each_works),
        cmocka_unit_test(a_key_says_what_there_is),
        cmocka_unit_test(a_long_report_is_made_in_pieces),
        cmocka_unit_test(what_the_caller_has_in_other_registers_is_not_taken_for_a_place),
        cmocka_unit_test(any_place_leads_to_an_end),
        cmocka_unit_test(typed_keys_report_from_a_timer),
        cmocka_unit_test(the_tree_is_read_by_path),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(pools_are_listed_by_number),
        cmocka_unit_test(too_little_room_gets_the_size),
        cmocka_unit_test(parameters_are_set_and_others_are_not),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
