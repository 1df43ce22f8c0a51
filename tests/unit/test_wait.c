/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who must wait for another CPU does: the other is played by host_relax(), which the machine calls while one waits. So it is
 * certain what the other does, and when, and that nobody went on without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "core/frame_map.h"
#include "core/port_table.h"

enum { FRESH = 6, OTHER = 7, SLOT = 100 };

static struct guest a;
static unsigned waits;

static int one_guest(void **state)
{
    guest_create(&a, 1, 0, 16);
    guest_start(&a, 4);
    waits = 0;
    return 0;
}

static int no_guest(void **state)
{
    host_relax = NULL;
    guest_destroy(&a, control.v, PLENTY);
    hosted_check();
    return 0;
}

/* ---- A port, for who is still sending on it ---- */

static struct port *in_use;

static void sender_ends(void)
{
    waits++;
    assert_non_null(in_use->peer); /* what it may still follow */
    atomic_store(&in_use->users, 0);
}

static void a_port_is_closed_after_its_users(void **state)
{
    evtchn_port_t one, other;

    assert_int_equal(port_alloc_unbound(a.d, a.d->id, &one), 0);
    assert_int_equal(port_bind_interdomain(a.d, a.d->id, one, &other), 0);
    in_use = port_at(a.d->ports, one);
    atomic_store(&in_use->users, 1);
    host_relax = sender_ends;
    assert_int_equal(port_close(a.d, one), 0);
    assert_int_equal(waits, 1);
    assert_null(in_use->peer);
}

/* ---- An entry, for who is writing it ---- */

static uint64_t entry(unsigned page) { return pte_make(a.m[page].n, RW); }

/* The other CPU has the table, changes the same entry, and lets go. */
static void other_ends(void)
{
    _Atomic uint64_t *slot = (_Atomic uint64_t *)machine_frame(a.m[3]) + SLOT;

    host_cpu = 1;
    waits++;
    assert_int_equal(frame_get_type(a.d, a.m[OTHER], TYPE_WRITABLE), 0);
    assert_int_equal(atomic_exchange(slot, entry(OTHER)), 0);
    frame_unlock(frame_of(a.m[3]));
    host_cpu = 0;
}

/*
 * First the writer waits for the frame that it is to map: the other CPU lets go of that, and takes the table. Then for the
 * table.
 */
static void other_writes(void)
{
    if (waits) {
        assert_int_equal(waits, 1);
        other_ends();
        return;
    }
    host_cpu = 1;
    waits++;
    frame_unlock(frame_of(a.m[FRESH]));
    frame_lock(frame_of(a.m[3]));
    host_cpu = 0;
}

static void an_entry_is_exchanged_under_its_lock(void **state)
{
    host_cpu = 1;
    frame_lock(frame_of(a.m[FRESH]));
    host_cpu = 0;
    host_relax = other_writes;
    assert_int_equal(pt_set(a.m[3], SLOT, entry(FRESH), a.d, a.d, false), 0);
    host_relax = NULL;
    if (waits == 1) { /* nobody waited: so that the test can end */
        host_cpu = 1;
        frame_unlock(frame_of(a.m[3]));
        host_cpu = 0;
    }
    assert_int_equal(waits, 2);
    hosted_check(); /* the other's entry was put */
    assert_int_equal(pt_set(a.m[3], SLOT, 0, a.d, a.d, false), 0);
    hosted_check();
}

/* So it is for who has no reference to the table. */
static void a_run_of_entries_waits_for_the_lock(void **state)
{
    const struct mmu_update u = { mfn_maddr(a.m[3]) + SLOT * sizeof(uint64_t), entry(FRESH) };

    assert_int_equal(frame_get_type(a.d, a.m[FRESH], TYPE_WRITABLE), 0);
    host_cpu = 1;
    frame_lock(frame_of(a.m[3]));
    host_cpu = 0;
    host_relax = other_ends;
    assert_int_equal(pt_set_run(a.d, a.d, &u, 1), 1);
    host_relax = NULL;
    if (!waits)
        other_ends(); /* so that the test can end */
    frame_put_type(a.m[FRESH]);
    hosted_check(); /* the other's entry was put */
    assert_int_equal(pt_set(a.m[3], SLOT, 0, a.d, a.d, false), 0);
    hosted_check();
    assert_int_equal(waits, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_port_is_closed_after_its_users, one_guest, no_guest),
        cmocka_unit_test_setup_teardown(an_entry_is_exchanged_under_its_lock, one_guest, no_guest),
        cmocka_unit_test_setup_teardown(a_run_of_entries_waits_for_the_lock, one_guest, no_guest),
    };

    return cmocka_run_group_tests(tests, hosted_setup, NULL);
}
