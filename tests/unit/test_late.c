/* SPDX-License-Identifier: BSD-2-Clause */
/* What comes too late: a pin of a frame that its owner gave back, the time for a domain that is dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "core/domain.h"
#include "core/time.h"

static struct guest a;

/* Nobody would take the pin away again: the frame, and with it the domain, would stay for ever. */
static void a_frame_given_back_takes_no_pin(void **state)
{
    (void)state;
    guest_create(&a, 1, 0, 16);
    host_run(control.v);
    assert_true(frame_get(a.m[5], a.d->id)); /* as a read-only mapping would */
    assert_true(reservation_remove(a.d, a.m[5]));
    assert_int_not_equal(type_pin(a.d, a.m[5], TYPE_L1), 0);
    assert_int_equal(frame_of(a.m[5])->type & (TYPE_PINNED | TYPE_COUNT), 0);
    hosted_leave(control.v, PLENTY);
    frame_put(a.m[5]);
    guest_destroy(&a, control.v, PLENTY);
    hosted_check();
}

/* Its shared info page may be another's by then. */
static void a_dead_domain_is_not_told_the_time(void **state)
{
    static uint8_t before[PAGE_SIZE];
    mfn_t kept, shared;

    (void)state;
    guest_create(&a, 1, 0, 16);
    kept = a.m[7];
    shared = a.d->shared_mfn;
    assert_true(frame_get(kept, a.d->id)); /* as another's mapping would: it keeps the domain */
    guest_destroy(&a, control.v, PLENTY);
    memcpy(before, machine_frame(shared), PAGE_SIZE);
    time_set_wallclock(1234567890, 0, 0);
    assert_memory_equal(before, machine_frame(shared), PAGE_SIZE);
    frame_put(kept);
    hosted_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_given_back_takes_no_pin),
        cmocka_unit_test(a_dead_domain_is_not_told_the_time),
    };

    return cmocka_run_group_tests(tests, hosted_setup, NULL);
}
