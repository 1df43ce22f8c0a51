/* SPDX-License-Identifier: BSD-2-Clause */
/* core/frame.c and frame_steal.c: owners, the two counters, and what happens when either reaches zero. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "core/cpumask.h"
#include "core/frame_map.h"
#include "tests/unit/hosted.h"

enum { PAGES = 32 };

static struct guest a, b;

static uint64_t refs(mfn_t m) { return frame_of(m)->refs & REFS_COUNT; }
static uint64_t uses(mfn_t m) { return frame_of(m)->type & TYPE_COUNT; }
static bool is_free(mfn_t m)  { return frame_of(m)->refs & REFS_FREE; }

static int two_guests(void **state)
{
    guest_create(&a, 1, 0, PAGES);
    guest_create(&b, 2, 0, PAGES);
    host_run(a.v);
    plenty();
    return 0;
}

static int no_guests(void **state)
{
    guest_destroy(&a, control.v, PLENTY);
    guest_destroy(&b, control.v, 1);
    hosted_check();
    assert_null(domain_get(1));
    assert_null(domain_get(2));
    return 0;
}

static void only_the_owners_name_gets_a_reference(void **state)
{
    assert_true(frame_get(a.m[0], 1));
    assert_int_equal(refs(a.m[0]), 2);
    assert_false(frame_get(a.m[0], 2));
    assert_false(frame_get(a.m[0], DOMID_XEN));
    assert_false(frame_get(machine_m2p_chunk(0), 1));
    assert_true(frame_get(machine_m2p_chunk(0), DOMID_XEN));
    frame_put(machine_m2p_chunk(0));
    assert_false(frame_get(mfn(0), 1));                /* no RAM */
    assert_false(frame_get(mfn(frame_count), 1));      /* beyond it */
    assert_false(frame_get(MFN_NONE, 1));
    frame_put(a.m[0]);
    assert_int_equal(refs(a.m[0]), 1);
}

static void a_counter_does_not_wrap(void **state)
{
    struct frame *f = frame_of(a.m[0]);
    uint64_t refs_were = f->refs, type;

    f->refs = REFS_OWNED | REFS_COUNT;
    assert_false(frame_get(a.m[0], 1));
    f->refs = refs_were;
    assert_int_equal(frame_get_type(a.d, a.m[0], TYPE_WRITABLE), 0);
    type = f->type;
    f->type = type | TYPE_COUNT;
    assert_int_not_equal(frame_get_type(a.d, a.m[0], TYPE_WRITABLE), 0);
    f->type = type;
    frame_put_type(a.m[0]);
}

/* frame_map() takes what frame_get() and type_get() would take, or nothing. */
static void a_mapping_takes_both_references_or_none(void **state)
{
    struct frame *f = frame_of(a.m[0]);
    uint64_t type;

    assert_true(frame_map(a.m[0], 1, false));
    assert_int_equal(refs(a.m[0]), 2);
    assert_false(frame_map(a.m[0], 1, true)); /* no type yet */
    assert_int_equal(refs(a.m[0]), 2);
    assert_int_equal(frame_get_type(a.d, a.m[0], TYPE_WRITABLE), 0);
    assert_true(frame_map(a.m[0], 1, true));
    assert_int_equal(refs(a.m[0]), 4);
    assert_int_equal(uses(a.m[0]), 2);
    assert_false(frame_map(a.m[0], 2, true));
    assert_false(frame_map(mfn(frame_count), 1, false));
    assert_false(frame_map(MFN_NONE, 1, false));
    type = f->type;
    f->type = type | TYPE_PINNED;
    assert_false(frame_map(a.m[0], 1, true));
    f->type = type | TYPE_COUNT;
    assert_false(frame_map(a.m[0], 1, true));
    f->type = type;
    assert_int_equal(refs(a.m[0]), 4);
    assert_true(frame_unmap(a.m[0], true));
    assert_true(frame_unmap(a.m[0], true));
    assert_false(frame_unmap(a.m[0], true)); /* no use is left */
    assert_int_equal(refs(a.m[0]), 2);
    assert_true(frame_unmap(a.m[0], false));
    assert_false(frame_unmap(a.m[0], false)); /* the last reference */
    assert_false(frame_unmap(mfn(frame_count), false));
    assert_int_equal(refs(a.m[0]), 1);
    assert_int_equal(uses(a.m[0]), 0);
}

static void a_frame_is_lent_as_often_as_asked_or_not_at_all(void **state)
{
    assert_false(frame_lend(a.m[0], 1, true, 2)); /* no type yet */
    assert_int_equal(refs(a.m[0]), 1);
    assert_int_equal(frame_get_type(a.d, a.m[0], TYPE_WRITABLE), 0);
    assert_false(frame_lend(a.m[0], 2, true, 2));
    assert_false(frame_lend(mfn(frame_count), 1, false, 2));
    assert_true(frame_lend(a.m[0], 1, false, 2));
    assert_int_equal(refs(a.m[0]), 4);
    assert_false(frame_of(a.m[0])->type & TYPE_FOREIGN);
    for (unsigned i = 0; i < 2; i++) /* when it is lent already, too */
        assert_true(frame_lend(a.m[0], 1, true, 2));
    assert_int_equal(refs(a.m[0]), 8);
    assert_int_equal(uses(a.m[0]), 5);
    assert_true(frame_of(a.m[0])->type & TYPE_FOREIGN);
    for (unsigned i = 0; i < 2; i++)
        assert_true(frame_unmap(a.m[0], false));
    for (unsigned i = 0; i < 5; i++)
        frame_put_type(a.m[0]);
    assert_int_equal(refs(a.m[0]), 1);
}

static void a_table_is_not_mapped_writable(void **state)
{
    assert_int_equal(frame_get_type(a.d, a.m[0], TYPE_L1), 0);
    assert_false(frame_map(a.m[0], 1, true));
    assert_true(frame_map(a.m[0], 1, false));
    assert_true(frame_unmap(a.m[0], false));
    frame_put_type(a.m[0]);
    hosted_leave(a.v, PLENTY);
}

static void the_last_mapping_frees_a_frame_given_up(void **state)
{
    assert_true(frame_map(a.m[5], 1, false));
    assert_true(reservation_remove(a.d, a.m[5]));
    assert_false(frame_map(a.m[5], 1, false)); /* no longer in its owner's hands */
    assert_false(is_free(a.m[5]));
    frame_put(a.m[5]);
    assert_true(is_free(a.m[5]));
    assert_false(frame_map(a.m[5], 1, false));
    hosted_check();
}

static void a_freed_frame_waits_for_its_last_user(void **state)
{
    uint64_t pages = a.d->tot_pages;

    assert_true(frame_get(a.m[5], 1));
    assert_true(reservation_remove(a.d, a.m[5]));
    assert_false(reservation_remove(a.d, a.m[5]));
    assert_false(reservation_remove(a.d, b.m[5]));
    assert_int_equal(a.d->tot_pages, pages);
    assert_false(is_free(a.m[5]));
    frame_put(a.m[5]);
    assert_true(is_free(a.m[5]));
    assert_int_equal(a.d->tot_pages, pages - 1);
    assert_int_equal(m2p_get(a.m[5]), M2P_INVALID);
    hosted_check();
}

/* What one guest left in a frame is not there when the next one gets it. */
static void frames_come_scrubbed(void **state)
{
    memset(machine_frame(a.m[7]), 0x5a, PAGE_SIZE);
    assert_true(reservation_remove(a.d, a.m[7]));
    assert_int_equal(host_audit(), 0);
    b.d->max_pages = HOSTED_FRAMES;
    for (unsigned i = 0; i < 64; i++) {
        mfn_t m = reservation_add(b.d, 0, 0, i);
        const uint8_t *p = machine_frame(m);

        for (unsigned k = 0; k < PAGE_SIZE; k++)
            assert_int_equal(p[k], 0);
    }
    hosted_check();
}

/* ---- Free memory is cleared while CPUs idle ---- */

static void scrub_all(void)
{
    struct frames_scrub s = { 0 };

    while (frames_scrub(&s))
        continue;
    frames_scrub_end(&s);
}

static bool is_cleared(mfn_t m)
{
    const uint8_t *p = machine_frame(m);

    for (unsigned k = 0; k < PAGE_SIZE; k++) {
        if (p[k])
            return false;
    }
    return true;
}

static void what_was_freed_is_cleared_in_idle_time(void **state)
{
    struct frames_scrub s = { 0 };
    unsigned untouched = 0;

    for (unsigned i = 5; i < 8; i++) {
        memset(machine_frame(a.m[i]), 0x5a, PAGE_SIZE);
        assert_true(reservation_remove(a.d, a.m[i]));
        assert_true(frame_of(a.m[i])->refs & REFS_DIRTY);
        assert_true(machine_stale(pcpu_online, frame_of(a.m[i])->stamp)); /* who had it may still write to it */
    }
    /* Given up after each page: the rest is still known. */
    while (frames_scrub(&s)) {
        frames_scrub_end(&s);
        s = (struct frames_scrub){ 0 };
    }
    for (unsigned i = 5; i < 8; i++) {
        assert_int_equal(frame_of(a.m[i])->refs, REFS_FREE);
        assert_false(machine_stale(pcpu_online, frame_of(a.m[i])->stamp));
    }
    /* What nobody ever had is not touched. */
    for (uint64_t n = 1; n < frame_count; n++)
        untouched += (frame_table[n].refs & (REFS_FREE | REFS_DIRTY)) == (REFS_FREE | REFS_DIRTY);
    assert_true(untouched > frame_count / 2);
    assert_false(frames_scrub(&s));
    b.d->max_pages = HOSTED_FRAMES;
    for (unsigned i = 0; i < 64; i++)
        assert_true(is_cleared(reservation_add(b.d, 0, 0, i)));
    hosted_check();
}

void __real_machine_relax(void);
void __wrap_machine_relax(void);

static mfn_t being_cleared = { ~0ull }; /* by CPU 1, which goes on when we wait */
static _Thread_local unsigned relaxed;

void __wrap_machine_relax(void)
{
    if (!mfn_same(being_cleared, MFN_NONE) && ++relaxed == 3) {
        memset(machine_frame(being_cleared), 0, PAGE_SIZE);
        atomic_fetch_and(&frame_of(being_cleared)->refs, ~(REFS_DIRTY | REFS_SCRUB));
        being_cleared = MFN_NONE;
    }
    __real_machine_relax();
}

/* A CPU that has begun to clear a page would write to it in the hands of its next owner. */
static void nobody_gets_a_page_that_is_being_cleared(void **state)
{
    b.d->max_pages = HOSTED_FRAMES;
    for (unsigned batch = 0; batch < 2; batch++) {
        mfn_t m = a.m[7 + batch];
        uint64_t list[4] = { 0, 1, 2, 3 };

        assert_true(reservation_remove(a.d, m));
        atomic_fetch_or(&frame_of(m)->refs, REFS_SCRUB);
        being_cleared = m;
        relaxed = 0;
        for (unsigned i = 0; i < 64 && frame_of(m)->owner != b.d->id; i++) {
            if (batch)
                assert_int_equal(reservation_add_pages(b.d, 0, list, 4), 4);
            else
                assert_false(mfn_same(reservation_add(b.d, 0, 0, i), MFN_NONE));
        }
        assert_int_equal(frame_of(m)->owner, b.d->id);
        assert_true(mfn_same(being_cleared, MFN_NONE));
        assert_int_equal(relaxed, 3);
        assert_int_equal(frame_of(m)->refs, REFS_OWNED | 1);
        hosted_check();
    }
}

static atomic_bool scrubbing;

static void *scrub_in_idle_time(void *data)
{
    host_cpu = 1;
    while (scrubbing) {
        scrub_all();
        machine_relax();
    }
    return NULL;
}

/* Pages come and go while another CPU clears those that are free: each is empty when it comes, and keeps what is written to it. */
static void pages_come_and_go_while_others_are_cleared(void **state)
{
    pthread_t other;

    scrubbing = true;
    pthread_create(&other, NULL, scrub_in_idle_time, NULL);
    b.d->max_pages = HOSTED_FRAMES;
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t list[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };

        assert_int_equal(reservation_add_pages(b.d, 0, list, 8), 8);
        for (unsigned i = 0; i < 8; i++) {
            uint64_t *p = machine_frame(mfn(list[i]));

            for (unsigned k = 0; k < PT_ENTRIES; k++) {
                assert_int_equal(p[k], 0);
                p[k] = list[i] + round;
            }
        }
        for (unsigned i = 0; i < 8; i++) {
            const uint64_t *p = machine_frame(mfn(list[i]));

            for (unsigned k = 0; k < PT_ENTRIES; k++)
                assert_int_equal(p[k], list[i] + round);
        }
        assert_int_equal(reservation_remove_pages(b.d, list, 8), 8);
    }
    scrubbing = false;
    pthread_join(other, NULL);
    hosted_check();
}

static void one_type_at_a_time(void **state)
{
    static const enum frame_type types[] = { TYPE_L1, TYPE_L2, TYPE_L3, TYPE_L4, TYPE_SEG, TYPE_WRITABLE };

    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        assert_int_equal(frame_get_type(a.d, a.m[0], types[i]), 0);
        hosted_leave(a.v, PLENTY);
        for (unsigned k = 0; k < ARRAY_SIZE(types); k++) {
            int rc = frame_get_type(a.d, a.m[0], types[k]);

            assert_int_equal(rc == 0, i == k);
            assert_true(rc == 0 || (rc < 0 && rc != -ERESTART));
            if (rc == 0)
                frame_put_type(a.m[0]);
        }
        assert_int_equal(uses(a.m[0]), 1);
        frame_put_type(a.m[0]);
        hosted_check();
        if (i % 2)
            hosted_leave(a.v, 1);
    }
    hosted_leave(a.v, 1);
    assert_int_equal(refs(a.m[0]), 1);
    assert_int_not_equal(frame_get_type(b.d, a.m[0], TYPE_WRITABLE), 0);
}

static void descriptors_are_made_harmless_or_refused(void **state)
{
    uint64_t *desc = machine_frame(a.m[0]);

    desc[3] = 0x0000ec0000080000ull; /* a call gate */
    assert_int_not_equal(frame_get_type(a.d, a.m[0], TYPE_SEG), 0);
    hosted_check();
    desc[3] = 0x00cf92000000ffffull; /* flat data, DPL 0 */
    assert_int_equal(frame_get_type(a.d, a.m[0], TYPE_SEG), 0);
    assert_true((desc[3] >> 45 & 3) == 3);
    frame_put_type(a.m[0]);
    hosted_check();
}

static void a_pinned_frame_that_is_given_up_goes(void **state)
{
    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    for (unsigned i = 0; i < 8; i++)
        assert_true(reservation_remove(a.d, a.m[i]));
    hosted_check();
    hosted_leave(a.v, 1);
    hosted_check();
    for (unsigned i = 0; i < 8; i++)
        assert_true(is_free(a.m[i]));
}

static void only_an_unused_frame_is_stolen(void **state)
{
    uint64_t pages = a.d->tot_pages;

    assert_false(frame_steal(b.d, a.m[0]));
    assert_true(frame_get(a.m[0], 1));
    assert_false(frame_steal(a.d, a.m[0]));
    frame_put(a.m[0]);
    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[0], TYPE_L4), 0);
    for (unsigned i = 0; i < 8; i++)
        assert_false(frame_steal(a.d, a.m[i]));
    hosted_check();
    *(uint64_t *)machine_frame(a.m[9]) = 0x1122334455667788ull;
    assert_true(frame_steal(a.d, a.m[9]));
    assert_false(frame_steal(a.d, a.m[9]));
    assert_int_equal(a.d->tot_pages, pages - 1);
    assert_int_equal(frame_of(a.m[9])->refs, 0);
    lock(&b.d->lock);
    frame_assign(b.d, a.m[9]);
    unlock(&b.d->lock);
    assert_int_equal(*(uint64_t *)machine_frame(a.m[9]), 0x1122334455667788ull);
    hosted_check();
}

/* While a table waits to be undone its stamp is a link, and does not say when its translations were flushed. */
static void a_table_that_waits_is_flushed_before_it_is_a_page(void **state)
{
    unsigned before;

    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[3], TYPE_L1), 0);
    assert_int_equal(type_unpin(a.m[3]), 0);
    assert_true(frame_of(a.m[3])->type & TYPE_QUEUED);
    before = host_flushes;
    assert_int_equal(frame_get_type(a.d, a.m[3], TYPE_WRITABLE), 0);
    assert_true(host_flushes > before);
    frame_put_type(a.m[3]);
    hosted_leave(a.v, PLENTY);
    hosted_check();
}

/* ---- Stamps ---- */

static _Thread_local void (*meanwhile)(void); /* what another CPU does once the clock was read, once */

uint32_t __real_machine_flush_stamp(void);
uint32_t __wrap_machine_flush_stamp(void);

uint32_t __wrap_machine_flush_stamp(void)
{
    uint32_t now = __real_machine_flush_stamp();
    void (*other)(void) = meanwhile;

    meanwhile = NULL;
    if (other)
        other();
    return now;
}

/* CPU 1 has just flushed, and then remembers page 9 as writable. */
static void used_on_cpu_1(void)
{
    host_cpu = 1;
    machine_flush(cpumask_of(1), FLUSH_ALL, 0);
    assert_int_equal(frame_get_type(a.d, a.m[9], TYPE_WRITABLE), 0);
    frame_put_type(a.m[9]);
    host_cpu = 0;
}

static bool flush_is_due_on_cpu_1(mfn_t m)
{
    uint64_t x = frame_of(m)->type;

    return (x & TYPE_UNSTAMPED) || machine_stale(cpumask_of(1), frame_of(m)->stamp);
}

/* However long a CPU takes for its put: what others did meanwhile is before the stamp. */
static void the_last_use_is_stamped_after_all_others(void **state)
{
    assert_int_equal(frame_get_type(a.d, a.m[9], TYPE_WRITABLE), 0);
    meanwhile = used_on_cpu_1;
    frame_put_type(a.m[9]);
    assert_null(meanwhile);
    assert_true(flush_is_due_on_cpu_1(a.m[9]));

    assert_true(frame_map(a.m[9], 1, true));
    meanwhile = used_on_cpu_1;
    assert_true(frame_unmap(a.m[9], true));
    assert_null(meanwhile);
    assert_true(flush_is_due_on_cpu_1(a.m[9]));

    /* Two at once, of a mapping by others. */
    assert_true(frame_lend(a.m[9], 1, true, 2));
    meanwhile = used_on_cpu_1;
    assert_true(frame_unlend(a.m[9], true, 2));
    assert_null(meanwhile);
    assert_int_equal(uses(a.m[9]), 0);
    assert_int_equal(refs(a.m[9]), 1);
    assert_true(flush_is_due_on_cpu_1(a.m[9]));
    hosted_check();
}

static int used_while_queued;

static void table_used_on_cpu_1(void)
{
    host_cpu = 1;
    host_run(b.v);
    plenty();
    machine_flush(cpumask_of(1), FLUSH_ALL, 0);
    used_while_queued = frame_get_type(a.d, a.m[3], TYPE_WRITABLE);
    if (!used_while_queued)
        frame_put_type(a.m[3]);
    host_run(NULL);
    host_cpu = 0;
}

/* A table that was a page for a while, as long as it waited to be undone, and no stamp could be written. */
static void a_link_is_no_stamp(void **state)
{
    uint32_t used;

    a.d->dirty_cpus |= cpumask_of(1);
    guest_tables(&a, 8);
    assert_int_equal(type_pin(a.d, a.m[3], TYPE_L1), 0);
    assert_int_equal(type_unpin(a.m[3]), 0);
    table_used_on_cpu_1();
    used = machine_flush_stamp();
    assert_int_equal(used_while_queued, 0);
    hosted_leave(a.v, PLENTY);
    assert_true(flush_is_due_on_cpu_1(a.m[3]));
    assert_int_equal(type_pin(a.d, a.m[3], TYPE_L1), 0);
    assert_false(machine_stale(cpumask_of(1), used));
    assert_int_equal(type_unpin(a.m[3]), 0);

    /* And in the middle of leaving the list: it is not to be had then, or a flush is due. */
    meanwhile = table_used_on_cpu_1;
    hosted_leave(a.v, PLENTY);
    assert_null(meanwhile);
    assert_true(used_while_queued || flush_is_due_on_cpu_1(a.m[3]));
    hosted_check();
}

/* ---- Two CPUs ---- */

static _Atomic unsigned ready_cpus;
static _Atomic unsigned overlaps, gots;
static _Atomic int inside; /* > 0: writers, < 0: table users */

/* In all the ways that there are. */
static int take(enum frame_type type, unsigned n)
{
    if (type == TYPE_WRITABLE && (n & 1) && frame_map(a.m[0], 1, true))
        return 0;
    return frame_get_type(a.d, a.m[0], type);
}

static void give(enum frame_type type, unsigned n)
{
    if (type != TYPE_WRITABLE || !(n & 2) || !frame_unmap(a.m[0], true))
        frame_put_type(a.m[0]);
}

/* Each CPU wants the frame as something else; nobody may ever find the other inside. */
static void *contend(void *data)
{
    unsigned cpu = (unsigned)(uintptr_t)data;
    enum frame_type mine = cpu ? TYPE_L1 : TYPE_WRITABLE;
    int sign = cpu ? -1 : 1;

    host_cpu = cpu;
    host_run(cpu ? b.v : a.v);
    ready_cpus++;
    while (ready_cpus < 2)
        machine_relax();
    for (unsigned n = 0; n < 20000; n++) {
        plenty();
        if (take(mine, n)) {
            hosted_leave(current_vcpu(), PLENTY);
            continue;
        }
        gots++;
        if ((inside += sign) * sign <= 0)
            overlaps++;
        inside -= sign;
        give(mine, n);
        hosted_leave(current_vcpu(), PLENTY);
    }
    host_run(NULL);
    return NULL;
}

static void two_cpus_never_have_it_as_two_things(void **state)
{
    pthread_t other;

    ready_cpus = 0;
    overlaps = gots = 0;
    host_run(NULL);
    pthread_create(&other, NULL, contend, (void *)1);
    contend((void *)0);
    pthread_join(other, NULL);
    assert_int_equal(overlaps, 0);
    assert_true(gots >= 200); /* the others found it in use */
    host_run(a.v);
    hosted_check();
    assert_int_equal(refs(a.m[0]), 1);
}

/* The references of each entry that goes are given back once, whoever put it there. */
static void *change(void *data)
{
    unsigned cpu = (unsigned)(uintptr_t)data;

    host_cpu = cpu;
    host_run(cpu ? b.v : a.v);
    ready_cpus++;
    while (ready_cpus < 2)
        machine_relax();
    for (unsigned n = 0; n < 400000; n++) {
        plenty();
        if (pt_set(a.m[3], 9, pte_make(a.m[10 + 2 * (n & 1) + cpu].n, RW), a.d, a.d, false))
            overlaps++;
    }
    host_run(NULL);
    return NULL;
}

static void two_cpus_change_one_entry(void **state)
{
    pthread_t other;

    guest_start(&a, 8);
    ready_cpus = 0;
    overlaps = 0;
    host_run(NULL);
    pthread_create(&other, NULL, change, (void *)1);
    change((void *)0);
    pthread_join(other, NULL);
    assert_int_equal(overlaps, 0);
    host_run(a.v);
    hosted_check();
}

#define GUEST_TEST(f) cmocka_unit_test_setup_teardown(f, two_guests, no_guests)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUEST_TEST(only_the_owners_name_gets_a_reference),
        GUEST_TEST(a_counter_does_not_wrap),
        GUEST_TEST(a_mapping_takes_both_references_or_none),
        GUEST_TEST(a_frame_is_lent_as_often_as_asked_or_not_at_all),
        GUEST_TEST(a_table_is_not_mapped_writable),
        GUEST_TEST(the_last_mapping_frees_a_frame_given_up),
        GUEST_TEST(a_freed_frame_waits_for_its_last_user),
        GUEST_TEST(frames_come_scrubbed),
        GUEST_TEST(what_was_freed_is_cleared_in_idle_time),
        GUEST_TEST(nobody_gets_a_page_that_is_being_cleared),
        GUEST_TEST(pages_come_and_go_while_others_are_cleared),
        GUEST_TEST(one_type_at_a_time),
        GUEST_TEST(descriptors_are_made_harmless_or_refused),
        GUEST_TEST(a_pinned_frame_that_is_given_up_goes),
        GUEST_TEST(only_an_unused_frame_is_stolen),
        GUEST_TEST(a_table_that_waits_is_flushed_before_it_is_a_page),
        GUEST_TEST(the_last_use_is_stamped_after_all_others),
        GUEST_TEST(a_link_is_no_stamp),
        GUEST_TEST(two_cpus_change_one_entry),
        GUEST_TEST(two_cpus_never_have_it_as_two_things),
    };

    return cmocka_run_group_tests(tests, hosted_setup, NULL);
}
