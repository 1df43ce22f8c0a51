/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/dirty.c and core/dirty_switch.c: that every page that changes is told, whoever changes it; in pieces, with others
 * at work, without memory, and at the guest's end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "tests/unit/hosted.h"
#include "tests/unit/tracked.h"

#include "abi/hypercall.h"
#include "core/cpumask.h"
#include "core/grant.h"
#include "core/vcpu_area.h"
#include "core/vcpu_tables.h"

#include <xen/domctl.h>
#include <xen/grant_table.h>

enum { PAGES = 64 };

static struct guest a, b;

static int two_guests(void **state)
{
    guest_create(&a, 1, 0, PAGES);
    guest_create(&b, 2, 0, 16);
    guest_start(&a, PAGES - 8);
    a.d->shared->arch.max_pfn = LOG_PFNS;
    assert_int_equal(track(&a), 0);
    hosted_check();
    return 0;
}

static int no_guests(void **state)
{
    uint64_t back = frames_free_count() + PAGES + 16 + (dirty_is_on(a.d) ? a.d->dirty->shadow.count : 0);

    guest_destroy(&a, control.v, 1);
    guest_destroy(&b, control.v, 1);
    hosted_check();
    assert_null(domain_get(1));
    assert_true(frames_free_count() >= back);
    return 0;
}

static void store(unsigned page)
{
    assert_true(host_guest_store(a.v, VA(page), page));
}

/* ---- On and off ---- */

static void on_and_off_leave_nothing(void **state)
{
    uint64_t before;

    assert_int_equal(track(&a), -EINVAL);
    assert_int_equal(untrack(&a), 0);
    assert_int_equal(untrack(&a), -EINVAL);
    hosted_check();
    before = frames_free_count();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(track(&a), 0);
        assert_true(frames_free_count() < before);
        store(9);
        hosted_check();
        assert_int_equal(untrack(&a), 0);
        assert_int_equal(frames_free_count(), before);
        store(10);
        hosted_check();
    }
    assert_int_equal(read_log(&a, true, false), -EINVAL);
}

/* Whatever is left of it half way, each can go on from there. */
static void half_on_is_off(void **state)
{
    uint64_t before;

    assert_int_equal(untrack(&a), 0);
    before = frames_free_count();
    host_run(control.v);
    this_pcpu()->budget = 1;
    assert_int_equal(dirty_start(a.d), -ERESTART);
    assert_false(dirty_is_on(a.d));
    assert_int_equal(CONTINUED(1, dirty_stop(a.d)), 0);
    assert_int_equal(frames_free_count(), before);
    this_pcpu()->budget = 1;
    assert_int_equal(dirty_start(a.d), -ERESTART);
    host_run(a.v);
    store(9);
    assert_int_equal(track(&a), 0);
    store(10);
    host_run(control.v);
    this_pcpu()->budget = 1;
    assert_int_equal(dirty_stop(a.d), -ERESTART);
    host_run(a.v);
    store(11);
    hosted_check();
    assert_int_equal(track(&a), 0);
    store(12);
    hosted_check();
}

/* What was known before an end that was only begun is not believed: the first write after it is told. */
static void on_again_half_way_off(void **state)
{
    store(9);
    host_run(control.v);
    this_pcpu()->budget = 1;
    assert_int_equal(dirty_stop(a.d), -ERESTART);
    assert_int_equal(track(&a), 0);
    store(9);
    store(10);
    hosted_check();
    clean(&a);
    assert_true(was_written(9) && was_written(10));
}

/* With every number of free frames that is too few. */
static void without_memory_the_guest_runs_on(void **state)
{
    void *held[HOSTED_RAM], *p;
    unsigned n = 0, tries = 0;
    uint64_t before;
    int rc;

    assert_int_equal(untrack(&a), 0);
    while ((p = hv_pages(0)))
        held[n++] = p;
    do {
        before = frames_free_count();
        rc = track(&a);
        store(9);
        assert_int_equal(host_audit(), 0);
        if (rc) {
            assert_int_equal(rc, -ENOMEM);
            assert_int_equal(frames_free_count(), before);
            hv_pages_free(held[--n], 0);
        }
        tries++;
    } while (rc);
    assert_true(tries > SHADOW_PER_VCPU);
    while (n)
        hv_pages_free(held[--n], 0);
    clean(&a);
    hosted_check();
}

static void dies_while_watched(void **state)
{
    store(9);
    /* no_guests() does the rest, one unit at a time. */
}

/* ---- Reading ---- */

static void a_look_changes_nothing(void **state)
{
    clean(&a);
    store(9);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(read_log(&a, false, false), 0);
        assert_true(was_written(9));
        assert_int_equal(count, told_count());
    }
    store(10); /* marked in the log that was looked at */
    clean(&a);
    assert_true(was_written(9) && was_written(10));
    clean(&a);
    assert_int_equal(told_count(), 0);
    assert_int_equal(count, 0);
}

static struct dirty_read four_pages(bool clean_it)
{
    return (struct dirty_read){ .clean = clean_it, .buffer = gptr(VA(BUFFER)), .pages = 4 * 8 * PAGE_SIZE };
}

/* Between two pieces the guest goes on, and another reader is turned away. */
static void reading_goes_on_in_pieces(void **state)
{
    struct dirty_read r = four_pages(true), other = four_pages(true);
    unsigned turns = 0;
    int rc;

    m2p_set(a.m[14], 30000); /* told late */
    clean(&a);
    store(9);
    other.buffer = gptr(VA(BUFFER) + 8);
    for (;;) {
        host_run(control.v);
        this_pcpu()->budget = 1;
        rc = dirty_read(a.d, &r, &faults, &count);
        if (rc != -ERESTART)
            break;
        turns++;
        assert_int_equal(dirty_read(a.d, &other, &faults, &count), -EBUSY);
        host_run(a.v);
        store(9);
        store(10 + turns % 5);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(turns, 15);
    assert_int_equal(count, 2); /* page 9, and the L1 table for its dirty bit */
    memcpy(told, machine_frame(control.m[BUFFER]), sizeof(told));
    assert_true(was_written(9));
    assert_false(was_written(10) || was_written(30000));
    for (unsigned i = 1; i < 4; i++) {
        for (unsigned k = 0; k < PT_ENTRIES; k++)
            assert_int_equal(((uint64_t *)machine_frame(control.m[BUFFER + i]))[k], 0); /* beyond the log */
    }
    host_run(a.v);
    clean(&a);
    for (unsigned i = 9; i < 14; i++)
        assert_true(was_written(i));
    assert_true(was_written(30000));
    hosted_check();
}

/* What could not be told is not lost. */
static void a_bad_buffer_loses_nothing(void **state)
{
    struct dirty_read r = { .clean = true, .buffer = gptr(VA(100)), .pages = 64 };

    clean(&a);
    clean(&a);
    store(9);
    host_run(control.v);
    assert_int_equal(CONTINUED(1, dirty_read(a.d, &r, &faults, &count)), -EFAULT);
    r.pages = ~0ull;
    assert_int_equal(dirty_read(a.d, &r, &faults, &count), -EINVAL);
    host_run(a.v);
    store(10);
    clean(&a);
    assert_true(was_written(10));
    hosted_check();
}

/* Fewer pages than the log has, and not a whole number of bytes. */
static void a_short_buffer(void **state)
{
    struct dirty_read r = { .clean = true, .buffer = gptr(VA(BUFFER)), .pages = 12 };
    uint8_t *to = machine_frame(control.m[BUFFER]);

    clean(&a);
    for (unsigned i = 8; i < 40; i++)
        store(i);
    memset(to, 0x55, 8);
    host_run(control.v);
    assert_int_equal(CONTINUED(1, dirty_read(a.d, &r, &faults, &count)), 0);
    assert_int_equal(to[2], 0x55);
    assert_int_equal(to[1] & 0xf, 0xf);
    assert_true(to[0] & 1 << 3);
    host_run(a.v);
}

/* ---- Who else writes ---- */

#define MARKS(pfn, action) do {          \
        clean(&a);                       \
        action;                          \
        hosted_check();                  \
        clean(&a);                       \
        assert_true(was_written(pfn));   \
    } while (0)

static long call(uint64_t nr, uint64_t p0, uint64_t p1, uint64_t p2, uint64_t p3)
{
    struct cpu_regs *r = a.v->regs;

    r->rax = nr, r->rdi = p0, r->rsi = p1, r->rdx = p2, r->r10 = p3, r->r8 = 0;
    r->rip = 0x1000;
    hypercall_entry(a.v);
    hosted_leave(a.v, PLENTY);
    return (long)r->rax;
}

static long update(uint64_t ptr, uint64_t val)
{
    struct mmu_update u = { ptr, val };

    memcpy(machine_frame(a.m[40]), &u, sizeof(u));
    return call(__HYPERVISOR_mmu_update, VA(40), 1, 0, DOMID_SELF);
}

static long ext(unsigned cmd, uint64_t m, uint64_t src)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = m, .arg2.src_mfn = src };

    memcpy(machine_frame(a.m[40]), &op, sizeof(op));
    return call(__HYPERVISOR_mmuext_op, VA(40), 1, 0, DOMID_SELF);
}

static void hypercalls_that_write(void **state)
{
    struct gnttab_copy copy = { .source = { .domid = DOMID_SELF, .u.gmfn = a.m[9].n },
                                .dest = { .domid = DOMID_SELF, .u.gmfn = a.m[10].n }, .len = 100 };

    MARKS(10, assert_int_equal(ext(MMUEXT_CLEAR_PAGE, a.m[10].n, 0), 0));
    MARKS(11, assert_int_equal(ext(MMUEXT_COPY_PAGE, a.m[11].n, a.m[10].n), 0));
    assert_false(was_written(10));
    MARKS(12, assert_int_equal(update(mfn_maddr(a.m[12]) + 8, 5), 0));                             /* no table */
    MARKS(3, assert_int_equal(update(mfn_maddr(a.m[3]) + 8 * 30, pte_make(a.m[30].n, RO)), 0));    /* a table */
    assert_false(was_written(30));
    MARKS(0, assert_int_equal(update(mfn_maddr(a.m[0]), pte_make(a.m[1].n, RW)), 0));
    MARKS(13, assert_int_equal(call(__HYPERVISOR_update_descriptor, mfn_maddr(a.m[13]), 0, 0, 0), 0));
    MARKS(10, assert_int_equal(grant_copy(a.v, &copy), 0));
    assert_int_equal(copy.status, GNTST_okay);
    /* A frame gets another number. */
    MARKS(62, assert_int_equal(update(mfn_maddr(a.m[14]) | MMU_MACHPHYS_UPDATE, 62), 0));
    MARKS(62, store(14));
    assert_false(was_written(14));
    MARKS(14, assert_int_equal(update(mfn_maddr(a.m[14]) | MMU_MACHPHYS_UPDATE, 14), 0));
    /* And one that it has not in the log: nothing to tell, nothing to hurt. */
    assert_int_equal(update(mfn_maddr(a.m[14]) | MMU_MACHPHYS_UPDATE, ~0ull), 0);
    clean(&a);
    store(14);
    hosted_check();
    /* The update marks by its new name all that is writable under it. */
    assert_int_equal(update(mfn_maddr(a.m[14]) | MMU_MACHPHYS_UPDATE, 14), 0);
    hosted_check();
}

static void a_frame_that_comes(void **state)
{
    mfn_t m;

    assert_true(frame_release(a.d, a.m[63]));
    MARKS(63, m = reservation_add(a.d, 0, 0, 63));
    assert_false(mfn_same(m, MFN_NONE));
}

/* What a page is used for is told with it. */
static void uses_that_change(void **state)
{
    clean(&a);
    MARKS(60, assert_int_equal(type_pin(a.d, a.m[60], TYPE_L1), 0));
    MARKS(60, assert_int_equal(type_unpin(a.m[60]), 0));
    MARKS(60, hosted_leave(a.v, 1)); /* undone */
    MARKS(61, assert_int_equal(type_pin(a.d, a.m[61], TYPE_L3), 0));
    assert_int_equal(type_unpin(a.m[61]), 0);
    hosted_leave(a.v, 1);
    MARKS(62, assert_int_equal(pt_set(a.m[2], 9, pte_make(a.m[62].n, RW), a.d, a.d, false), 0));
}

/* ---- FINAL ---- */

static void the_last_reading_tells_all(void **state)
{
    uint64_t frames = a.m[20].n, pte;

    assert_int_equal(pt_set(a.m[3], 20, 0, a.d, a.d, false), 0);
    memset(machine_frame(a.m[20]), 0, PAGE_SIZE);
    assert_int_equal(vcpu_set_gdt(a.v, &frames, 512), 0);
    assert_int_equal(vcpu_info_register(a.v, a.m[21], 0), 0);
    assert_int_equal(vcpu_area_set(a.v, &a.v->runstate_area, VA(22) + 8, sizeof(struct vcpu_runstate_info)), 0);
    /* Another domain writes to frame 23. */
    guest_start(&b, 12);
    assert_int_equal(frame_get_type(a.d, a.m[23], TYPE_WRITABLE), 0);
    frame_mapped_foreign(a.m[23]);
    assert_int_equal(grant_mapped(&b, mfn_maddr(b.m[3]) + 8 * 9, true, pte_make(a.m[23].n, RW), &pte), GNTST_okay);
    host_run(a.v);
    hosted_check();
    clean(&a);
    clean(&a);
    assert_int_equal(told_count(), 0);
    assert_int_equal(read_log(&a, true, true), 0);
    for (unsigned i = 20; i < 24; i++)
        assert_true(was_written(i));
    assert_int_equal(told_count(), 4);
}

/* In as many pieces as there are. */
static void the_last_reading_in_pieces(void **state)
{
    struct dirty_read r = { .clean = true, .final = true, .buffer = gptr(VA(BUFFER)), .pages = LOG_PFNS };

    store(9);
    host_run(control.v);
    assert_int_equal(CONTINUED(1, dirty_read(a.d, &r, &faults, &count)), 0);
    memcpy(told, machine_frame(control.m[BUFFER]), sizeof(told));
    assert_true(was_written(9));
    host_run(a.v);
}

/* ---- By domctl ---- */

static long domctl(unsigned op, uint32_t mode, uint64_t pages, struct xen_domctl *out, domid_t about)
{
    struct xen_domctl d = { .cmd = XEN_DOMCTL_shadow_op, .interface_version = XEN_DOMCTL_INTERFACE_VERSION, .domain = about };
    struct cpu_regs *r;
    void *at = machine_frame(control.m[7]);
    long rc;

    host_run(control.v);
    d.u.shadow_op = (struct xen_domctl_shadow_op){ .op = op, .mode = mode, .pages = pages };
    d.u.shadow_op.dirty_bitmap.p = (uint8_t *)VA(BUFFER);
    memcpy(at, &d, sizeof(d));
    r = control.v->regs;
    do {
        r->rax = __HYPERVISOR_domctl, r->rdi = VA(7), r->rip = 0x1000;
        this_pcpu()->budget = 3;
        hypercall_entry(control.v);
        plenty();
    } while (r->rip == 0x1000 - 2);
    memcpy(out, at, sizeof(*out));
    rc = (long)r->rax;
    host_run(a.v);
    return rc;
}

static void the_tools_have_it(void **state)
{
    struct xen_domctl op;

    assert_int_equal(domctl(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0, 0, &op, 1), -EINVAL);
    assert_int_equal(domctl(XEN_DOMCTL_SHADOW_OP_OFF, 0, 0, &op, 1), 0);
    assert_int_equal(domctl(XEN_DOMCTL_SHADOW_OP_CLEAN, 0, 100, &op, 1), 0);
    assert_int_equal(domctl(XEN_DOMCTL_SHADOW_OP_ENABLE, XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY, 0, &op, 1), 0);
    store(9);
    assert_int_equal(domctl(XEN_DOMCTL_SHADOW_OP_PEEK, 0, 1000, &op, 1), 0);
    assert_int_equal(op.u.shadow_op.pages, 1000);
    assert_true(op.u.shadow_op.stats.dirty_count >= 1 && op.u.shadow_op.stats.fault_count >= 1);
    assert_int_equal(domctl(XEN_DOMCTL_SHADOW_OP_CLEAN, XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL, LOG_PFNS, &op, 1), 0);
    assert_int_equal(op.u.shadow_op.pages, LOG_PFNS);
    memcpy(told, machine_frame(control.m[BUFFER]), sizeof(told));
    assert_true(was_written(9));
    assert_int_equal(domctl(XEN_DOMCTL_SHADOW_OP_CLEAN, 2, 100, &op, 1), -EINVAL);
    assert_int_equal(domctl(XEN_DOMCTL_SHADOW_OP_ENABLE, XEN_DOMCTL_SHADOW_ENABLE_TRANSLATE, 0, &op, 1), -EOPNOTSUPP);
    assert_int_equal(domctl(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0, 0, &op, 0), -EINVAL); /* itself */
    assert_int_equal(domctl(XEN_DOMCTL_SHADOW_OP_OFF, 0, 0, &op, 1), 0);
    hosted_check();
}

/* ---- A copy in the making, while two vCPUs write ---- */

/* Frames of guest c: root, L3, L2, L1 tables (more than there are shadows), data. */
enum { TABLES = 140, DATA = 100, FIRST = 3 + TABLES, ROUNDS = 150 };

static struct guest c;
static _Atomic bool over;
static uint8_t copied[FIRST + DATA][PAGE_SIZE];

static uint64_t data_entry(unsigned table, unsigned i)
{
    return pte_make(c.m[FIRST + (table * 7 + i) % DATA].n, PTE_P | PTE_US | PTE_RW);
}

static void two_vcpus(void)
{
    struct domain_config cfg = { .id = 3, .max_vcpus = 2, .max_ports = ~0u };

    assert_int_equal(domain_create(&cfg, &c.d), 0);
    c.d->max_pages = FIRST + DATA;
    assert_int_equal(domain_alloc_vcpus(c.d, 2), 0);
    for (unsigned i = 0; i < FIRST + DATA; i++)
        c.m[i] = reservation_add(c.d, 0, 0, i);
    for (unsigned i = 0; i < 2; i++)
        guest_entry(&c, i, 0, i + 1, RW);
    for (unsigned k = 0; k < TABLES; k++) {
        guest_entry(&c, 2, k, 3 + k, RW);
        for (unsigned i = 0; i < 4; i++)
            ((uint64_t *)machine_frame(c.m[3 + k]))[i] = data_entry(k, i);
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(CONTINUED(PLENTY, pt_set_root(c.d->vcpu[i], c.m[0], false)), 0);
}

static void must(bool x)
{
    if (!x)
        abort();
}

/* Half of the time one that the other vCPU is at, too. */
static unsigned some_table(unsigned *seed)
{
    return rand_r(seed) % 2 ? 0 : (unsigned)rand_r(seed) % TABLES;
}

/* One vCPU on a CPU of its own: writes, and changes its tables; makes way when it is paused. */
static void *runs(void *arg)
{
    struct vcpu *v = c.d->vcpu[(uintptr_t)arg];
    unsigned seed = 1 + v->id, k, i;

    host_cpu = 1 + v->id;
    while (!over) {
        plenty();
        host_run(v);
        while (c.d->pause_count == 1) { /* that of its creation */
            k = some_table(&seed);
            i = (unsigned)rand_r(&seed) % 4;
            must(host_guest_store(v, VA(512 * k + i) + 8 * ((unsigned)rand_r(&seed) % PT_ENTRIES), (uint64_t)rand_r(&seed)));
            if (rand_r(&seed) % 4)
                continue;
            /* As a new entry that nobody used yet, of this frame or another; or by way of another table. */
            k = some_table(&seed);
            if (rand_r(&seed) % 4)
                must(!pt_set(c.m[3 + k], i, data_entry((unsigned)rand_r(&seed) % TABLES, i), c.d, c.d, false));
            else
                must(!pt_set(c.m[2], k, pte_make(c.m[3 + k].n, PTE_P | PTE_US | PTE_RW), c.d, c.d, false));
            machine_flush(c.d->dirty_cpus, FLUSH_ALL, 0);
        }
        host_run(NULL);
        sched_yield();
    }
    return NULL;
}

static void copy_told(void)
{
    for (unsigned i = 0; i < FIRST + DATA; i++) {
        if (was_written(i))
            memcpy(copied[i], machine_frame(c.m[i]), PAGE_SIZE);
    }
}

static void a_copy_is_right_in_the_end(void **state)
{
    struct dirty_read r = { .clean = true, .buffer = gptr(VA(BUFFER)), .pages = LOG_PFNS };
    pthread_t vcpu[2];

    two_vcpus();
    host_run(control.v);
    assert_int_equal(CONTINUED(1, dirty_start(c.d)), 0);
    over = false;
    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(&vcpu[i], NULL, runs, (void *)i);
    memset(told, 0xff, sizeof(told));
    copy_told();
    for (unsigned i = 0; i <= ROUNDS; i++) {
        usleep(i % 8 * 500);
        if (i == ROUNDS) {
            domain_pause(c.d);
            over = true;
        }
        assert_int_equal(CONTINUED(3, dirty_read(c.d, &r, &faults, &count)), 0);
        memcpy(told, machine_frame(control.m[BUFFER]), sizeof(told));
        copy_told();
        if (i % 4 == 0) {
            domain_pause(c.d);
            hosted_check();
            domain_unpause(c.d);
        }
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(vcpu[i], NULL);
    domain_unpause(c.d);
    for (unsigned i = 0; i < FIRST + DATA; i++)
        assert_memory_equal(copied[i], machine_frame(c.m[i]), PAGE_SIZE);
    hosted_check();
    guest_destroy(&c, control.v, 50);
    host_run(a.v);
}

/* A CPU for each vCPU and one for dom0. */
static int three_cpus(void **state)
{
    host_start(3, HOSTED_RAM);
    guest_create(&control, 0, PRIV_ALL, 8);
    guest_start(&control, 8);
    return 0;
}

int main(void)
{
#define WATCHED(f) cmocka_unit_test_setup_teardown(f, two_guests, no_guests)
    const struct CMUnitTest tests[] = {
        WATCHED(on_and_off_leave_nothing),
        WATCHED(half_on_is_off),
        WATCHED(on_again_half_way_off),
        WATCHED(without_memory_the_guest_runs_on),
        WATCHED(dies_while_watched),
        WATCHED(a_look_changes_nothing),
        WATCHED(reading_goes_on_in_pieces),
        WATCHED(a_bad_buffer_loses_nothing),
        WATCHED(a_short_buffer),
        WATCHED(hypercalls_that_write),
        WATCHED(a_frame_that_comes),
        WATCHED(uses_that_change),
        WATCHED(the_last_reading_tells_all),
        WATCHED(the_last_reading_in_pieces),
        WATCHED(the_tools_have_it),
        WATCHED(a_copy_is_right_in_the_end),
    };

    return cmocka_run_group_tests(tests, three_cpus, NULL);
}
