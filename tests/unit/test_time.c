/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/time.c and core/vcpu_area.c: the clock and its inverse agree, guests that follow the ABI's formula
 * read the hypervisor's time, versions protect readers, and the areas of a vCPU hold exactly the references
 * they need.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "tests/unit/fake_sched.h"

void machine_relax(void) { sched_yield(); }

static struct domain d;
static struct vcpu v;
static struct shared_info shared;

static void start(bool stable)
{
    fake_machine(2, stable);
    memset(&shared, 0, sizeof(shared));
    memset(fake_page, 0, sizeof(fake_page));
    memset(fake_refs, 0, sizeof(fake_refs));
    d = (struct domain){ .id = 3, .max_vcpus = 1, .shared = &shared };
    v = (struct vcpu){ .domain = &d, .info_mfn = MFN_NONE, .info = &shared.vcpu_info[0] };
    v.runstate_area = v.time_area = (struct guest_area){ .mfn = { MFN_NONE, MFN_NONE } };
    lock_init(&v.area_lock, LOCK_AREA);
    d.vcpu[0] = &v;
}

/* As <xen/xen.h> tells guests to compute it; false if the version says that it changed meanwhile. */
static bool guest_time(const struct vcpu_time_info *t, uint64_t tsc, uint64_t *out)
{
    uint32_t version = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE);
    uint64_t delta = tsc - __atomic_load_n(&t->tsc_timestamp, __ATOMIC_ACQUIRE);
    uint64_t base = __atomic_load_n(&t->system_time, __ATOMIC_ACQUIRE);
    uint64_t scale = __atomic_load_n((const area_word_t *)&t->tsc_to_system_mul, __ATOMIC_ACQUIRE);
    int8_t shift = (int8_t)(scale >> 32);

    delta = shift < 0 ? delta >> -shift : delta << shift;
    *out = base + (uint64_t)((unsigned __int128)delta * (uint32_t)scale >> 32);
    return !(version & 1) && __atomic_load_n(&t->version, __ATOMIC_ACQUIRE) == version;
}

static void a_second_of_ticks_is_a_second_at_any_frequency(void **state)
{
    static const uint64_t hz[] = { 1000000, 32768000, 500000000, 999999999, 1000000000, 1000000001,
                                   1234567890, 2000000000, 2000000001, 2494140000, 3892417000,
                                   5999999999, 9000000000 };

    fake_machine(1, true);
    for (unsigned i = 0; i < ARRAY_SIZE(hz); i++) {
        fake_tsc = 12345;
        time_init(hz[i], true, 0);
        assert_int_equal(time_tsc_khz(), hz[i] / 1000);
        assert_int_equal(now_ns(), 0);
        fake_tsc += hz[i];
        assert_in_range(now_ns(), 999999990, 1000000001);
        fake_tsc += hz[i] * 3600 * 24 * 30;
        /* a part in 2^31 */
        assert_in_range(now_ns(), SEC(2592001) - SEC(2592001) / 2000000000 - 10, SEC(2592001));
    }
    fake_machine_end();
}

/*
 * A timer armed for the tick that ns_to_tsc() names finds its time come, and not a tick later than it has to
 * be.
 */
static void the_inverse_is_the_first_tick_at_which_the_time_has_come(void **state)
{
    static const uint64_t hz[] = { 1000000, 999999999, 1000000000, 2494140000, 5999999999 };

    fake_machine(1, true);
    for (unsigned i = 0; i < ARRAY_SIZE(hz); i++) {
        fake_tsc = 99;
        time_init(hz[i], true, 0);
        for (uint64_t ns = 1; ns < SEC(1000000000) / 4; ns = ns * 3 / 2 + 7) {
            uint64_t tsc = ns_to_tsc(ns), step = hz[i] > 2000000000 ? hz[i] / 2000000000 + 1 : 1;

            assert_true(tsc_to_ns(tsc) >= ns);
            assert_true(tsc_to_ns(tsc - step) < ns);
        }
        assert_true(ns_to_tsc(~0ull) == ~0ull);
        assert_int_equal(tsc_to_ns(5), 0); /* a CPU that is behind */
    }
    fake_machine_end();
}

static void with_stable_tscs_every_guest_reads_our_time_exactly(void **state)
{
    uint64_t t;

    start(true);
    fake_now(SEC(7));
    time_update_vcpu(&v);
    assert_int_equal(v.info->time.flags, XEN_PVCLOCK_TSC_STABLE_BIT);
    for (unsigned i = 0; i < 1000; i++) {
        fake_tsc += 1000003;
        assert_true(guest_time(&v.info->time, fake_tsc, &t));
        assert_int_equal(t, now_ns());
    }
    fake_machine_end();
}

static void without_them_it_reads_the_cpus_time_and_no_flag(void **state)
{
    uint64_t t;

    start(false);
    for (unsigned i = 0; i < 100; i++) {
        fake_tsc += 77777777;
        time_update_vcpu(&v);
        assert_int_equal(v.info->time.flags, 0);
        assert_int_equal(v.info->time.tsc_timestamp, fake_tsc);
        fake_tsc += 1234567;
        assert_true(guest_time(&v.info->time, fake_tsc, &t));
        assert_in_range(t, now_ns() - 2, now_ns());
    }
    fake_machine_end();
}

static void the_second_copy_may_cross_a_page(void **state)
{
    struct vcpu_time_info copy;
    uint64_t va = 6 * PAGE_SIZE - 16, t;

    start(true);
    assert_int_equal(vcpu_area_set(&v, &v.time_area, va, sizeof(copy)), 0);
    assert_int_equal(fake_refs[5], 1);
    assert_int_equal(fake_refs[6], 1);
    fake_now(SEC(1));
    time_update_vcpu(&v);
    memcpy(&copy, &fake_page[5][PAGE_SIZE - 16], sizeof(copy));
    assert_memory_equal(&copy, &v.info->time, sizeof(copy));
    assert_true(guest_time(&copy, fake_tsc, &t));
    assert_int_equal(t, SEC(1));
    /* A new place: the old one is neither held nor written. */
    assert_int_equal(vcpu_area_set(&v, &v.time_area, 9 * PAGE_SIZE, sizeof(copy)), 0);
    assert_int_equal(fake_refs[5] + fake_refs[6], 0);
    assert_int_equal(fake_refs[9], 1);
    memset(fake_page[5], 0xee, PAGE_SIZE);
    time_update_vcpu(&v);
    assert_int_equal(fake_page[5][PAGE_SIZE - 16], 0xee);
    assert_int_equal(vcpu_area_set(&v, &v.time_area, 0, sizeof(copy)), 0);
    assert_int_equal(fake_refs[9], 0);
    fake_machine_end();
}

static void a_bad_place_changes_nothing(void **state)
{
    start(true);
    assert_int_equal(vcpu_area_set(&v, &v.time_area, 9 * PAGE_SIZE, 32), 0);
    assert_int_equal(vcpu_area_set(&v, &v.time_area, 9 * PAGE_SIZE + 4, 32), -EINVAL);
    assert_int_equal(vcpu_area_set(&v, &v.time_area, 800 * PAGE_SIZE, 32), -EFAULT);
    assert_int_equal(vcpu_area_set(&v, &v.time_area, ~7ull, 32), -EINVAL);
    assert_int_equal(vcpu_area_set(&v, &v.time_area, 43 * PAGE_SIZE, 32), -EINVAL);
    assert_int_equal(vcpu_area_set(&v, &v.time_area, 43 * PAGE_SIZE - 8, 32), -EINVAL);
    assert_int_equal(fake_refs[42], 0);
    assert_int_equal(fake_refs[9], 1);
    assert_int_equal(v.time_area.mfn[0].n, 9);
    vcpu_areas_drop(&v);
    assert_int_equal(fake_refs[9], 0);
    fake_machine_end();
}

static void vcpu_info_moves_once_with_its_content_and_everything_pending(void **state)
{
    struct vcpu_info *to = (struct vcpu_info *)&fake_page[8][512];

    start(true);
    shared.vcpu_info[0].evtchn_upcall_mask = 1;
    shared.vcpu_info[0].arch.cr2 = 0x1234;
    assert_int_equal(vcpu_info_register(&v, mfn(8), 4), -ENXIO);
    assert_int_equal(vcpu_info_register(&v, mfn(8), PAGE_SIZE - 56), -ENXIO);
    assert_int_equal(vcpu_info_register(&v, mfn(43), 0), -EINVAL);
    assert_int_equal(vcpu_info_register(&v, mfn(1ull << 50), 0), -EINVAL);
    assert_ptr_equal(v.info, &shared.vcpu_info[0]);
    assert_int_equal(vcpu_info_register(&v, mfn(8), 512), 0);
    assert_ptr_equal(v.info, to);
    assert_int_equal(to->arch.cr2, 0x1234);
    assert_int_equal(to->evtchn_upcall_mask, 1);
    assert_int_equal(to->evtchn_upcall_pending, 1);
    assert_true(to->evtchn_pending_sel == ~0ul);
    assert_int_equal(vcpu_info_register(&v, mfn(9), 0), -EINVAL);
    assert_int_equal(fake_refs[8], 1);
    assert_int_equal(fake_refs[9], 0);
    vcpu_areas_drop(&v);
    assert_ptr_equal(v.info, &shared.vcpu_info[0]);
    assert_int_equal(fake_refs[8], 0);
    assert_int_equal(vcpu_info_register(&v, mfn(9), PAGE_SIZE - 64), 0);
    vcpu_areas_drop(&v);
    fake_machine_end();
}

static void the_wall_clock_is_utc_at_system_time_0_for_every_domain(void **state)
{
    start(true);
    fake_domains[0] = &d;
    d.time_offset_s = (uint64_t)-3600;
    time_update_wallclock(&d);
    assert_int_equal(shared.wc_sec, 1700000000 - 3600);
    assert_int_equal(shared.wc_version, 2);
    fake_now(SEC(100));
    time_set_wallclock(5000000000, 250, SEC(90));
    assert_int_equal(shared.wc_version, 4);
    assert_int_equal(shared.wc_sec | (uint64_t)shared.wc_sec_hi << 32, 5000000000 - 90 - 3600);
    assert_int_equal(shared.wc_nsec, 250);
    assert_int_equal(time_wallclock_s(), 5000000010);
    shared.wc_version = 7; /* the guest's own doing: versions stay even at rest */
    time_update_wallclock(&d);
    assert_int_equal(shared.wc_version % 2, 0);
    fake_domains[0] = NULL;
    fake_machine_end();
}

/* ---- A reader beside the writer ---- */

static _Atomic bool enough;
static _Atomic uint64_t mixed;

static void *reader(void *arg)
{
    const uint64_t tsc = 1ull << 40, ns = tsc_to_ns(tsc);
    uint32_t version = 0, now;
    unsigned seen = 0;
    uint64_t t;

    while (seen < 20000) {
        /* Whatever it reads under one even version is one update: time and TSC of the same moment. */
        if (!guest_time(&v.info->time, tsc, &t))
            continue;
        if (t < ns - 2 || t > ns)
            mixed++;
        now = __atomic_load_n(&v.info->time.version, __ATOMIC_RELAXED);
        seen += now != version;
        version = now;
    }
    enough = true;
    return NULL;
}

static void a_reader_never_mixes_two_updates(void **state)
{
    pthread_t r;

    start(false);
    enough = false;
    mixed = 0;
    time_update_vcpu(&v);
    pthread_create(&r, NULL, reader, NULL);
    for (unsigned i = 0; !enough; i++) {
        fake_tsc += 1 + i % 1000;
        time_update_vcpu(&v);
    }
    pthread_join(r, NULL);
    assert_int_equal(mixed, 0);
    fake_machine_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_of_ticks_is_a_second_at_any_frequency),
        cmocka_unit_test(the_inverse_is_the_first_tick_at_which_the_time_has_come),
        cmocka_unit_test(with_stable_tscs_every_guest_reads_our_time_exactly),
        cmocka_unit_test(without_them_it_reads_the_cpus_time_and_no_flag),
        cmocka_unit_test(the_second_copy_may_cross_a_page),
        cmocka_unit_test(a_bad_place_changes_nothing),
        cmocka_unit_test(vcpu_info_moves_once_with_its_content_and_everything_pending),
        cmocka_unit_test(the_wall_clock_is_utc_at_system_time_0_for_every_domain),
        cmocka_unit_test(a_reader_never_mixes_two_updates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
