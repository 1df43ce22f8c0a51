/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/pool.c under the simulated scheduler: a vCPU runs only on CPUs of its domain's pool, one that loses its CPU goes on
 * elsewhere, a CPU of no pool idles, and each pool shares its CPUs by weight for itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "tests/unit/plenty.h"
#include "tests/unit/sim_sched.h"

/* Removes a CPU as the tools do: the call is repeated while others work on. The number of repetitions. */
static unsigned remove_cpu(unsigned pool, unsigned cpu)
{
    unsigned n = 0;
    int rc;

    while ((rc = pool_remove_cpu(pool, cpu)) == -ERESTART) {
        assert_true(n++ < 1000);
        fake_pcpu[0].budget = PLENTY;
        sim_settle();
    }
    assert_int_equal(rc, 0);
    return n;
}

static unsigned new_pool(cpumask_t cpus)
{
    unsigned id = POOL_ANY, cpu;

    assert_int_equal(pool_create(&id), 0);
    for_each_cpu (cpu, cpus) {
        remove_cpu(0, cpu);
        assert_int_equal(pool_add_cpu(id, cpu), 0);
    }
    return id;
}

static void forget_where_they_ran(void)
{
    for (unsigned n = 0; n < guest_count; n++)
        for (unsigned i = 0; i < guests[n]->vcpus; i++)
            guests[n]->at[i].seen = 0;
}

/* O1-O3, and nobody is on a CPU that is not his, nor said to be. */
static void check_pools(void)
{
    cpumask_t used = 0;

    for (unsigned id = 0; id < POOLS_MAX; id++) {
        assert_int_equal(used & pools[id].cpus, 0);
        used |= pools[id].cpus;
        assert_true(!pools[id].domains || pools[id].cpus);
        assert_true(pools[id].exists || (!pools[id].domains && !pools[id].cpus));
    }
    for (unsigned n = 0; n < guest_count; n++) {
        for (unsigned i = 0; i < guests[n]->vcpus; i++) {
            struct vcpu *v = &guests[n]->v[i];

            assert_true(v->hard & pool_cpus(v->domain->sched.pool));
            if (v->sched->state == SV_OFF || v->sched->state == SV_PARKED)
                assert_true(cpumask_has(pool_cpus(v->domain->sched.pool), v->cpu));
            if (v->running_on != -1)
                assert_true(cpumask_has(pool_cpus(v->domain->sched.pool), (unsigned)v->running_on));
        }
    }
}

/* ---- Pools and CPUs ---- */

static void ids_are_given_upwards_and_kept(void **state)
{
    unsigned id = 7;
    struct pool_info info;

    sim_start(2);
    assert_int_equal(pool_create(&id), 0);
    assert_int_equal(pool_create(&id), -EEXIST);
    assert_int_equal(new_pool(0), 8);
    assert_int_equal(pool_next(1, &info), 0);
    assert_int_equal(info.id, 7);
    assert_int_equal(pool_next(9, &info), -ENOENT);
    assert_int_equal(pool_next(~0u, &info), -ENOENT);
    assert_int_equal(pool_destroy(8), 0);
    assert_int_equal(pool_destroy(8), -ENOENT);
    assert_int_equal(pool_destroy(0), -EBUSY);
    id = POOLS_MAX;
    assert_int_equal(pool_create(&id), -ENOSPC);
    id = POOLS_MAX - 1;
    assert_int_equal(pool_create(&id), 0);
    /* Beyond the last id those that are free are given, until there are none. */
    for (unsigned i = 3; i < POOLS_MAX; i++)
        (void)new_pool(0);
    id = POOL_ANY;
    assert_int_equal(pool_create(&id), -ENOSPC);
    sim_end();
}

static void cpus_are_in_one_pool_or_free(void **state)
{
    struct pool_info info;
    unsigned id;

    sim_start(4);
    id = new_pool(0);
    assert_int_equal(pool_add_cpu(id, 0), -ENODEV);
    assert_int_equal(pool_add_cpu(id, 4), -EINVAL);
    assert_int_equal(pool_add_cpu(id, POOL_ANY), -ENODEV);
    assert_int_equal(pool_add_cpu(9, 0), -ENOENT);
    assert_int_equal(pool_remove_cpu(id, 3), -EADDRNOTAVAIL);
    assert_int_equal(pool_remove_cpu(id, POOL_ANY), -EINVAL);
    assert_int_equal(pool_remove_cpu(9, 0), -ENOENT);
    assert_int_equal(pool_remove_cpu(0, 9), -EINVAL);
    remove_cpu(0, POOL_ANY);
    assert_int_equal(pool_free_cpus(), 8);
    assert_int_equal(pool_add_cpu(id, POOL_ANY), 0);
    assert_int_equal(pool_free_cpus(), 0);
    assert_int_equal(pool_next(id, &info), 0);
    assert_int_equal(info.cpus, 8);
    assert_int_equal(pool_destroy(id), -EBUSY);
    remove_cpu(id, 3);
    assert_int_equal(pool_destroy(id), 0);
    remove_cpu(0, 1);
    remove_cpu(0, 2);
    assert_int_equal(pool_remove_cpu(0, 0), -EINVAL);
    sim_end();
}

static void a_pool_with_domains_keeps_its_last_cpu(void **state)
{
    struct guest *g;
    unsigned id;

    sim_start(2);
    guest_new(1, 256, 0);
    g = guest_new(1, 256, 0);
    id = new_pool(2);
    assert_int_equal(pool_usable(id), 0);
    assert_int_equal(pool_usable(new_pool(0)), -EINVAL);
    assert_int_equal(pool_usable(5), -ESRCH);
    assert_int_equal(pool_move(&g->d, id), 0);
    assert_int_equal(pool_move(&g->d, id), 0);
    assert_int_equal(pools[id].domains, 1);
    assert_int_equal(pool_move(&g->d, id + 1), -ENOENT);
    assert_int_equal(pool_move(&g->d, 44), -ENOENT);
    assert_int_equal(pool_remove_cpu(id, 1), -EBUSY);
    assert_int_equal(pool_destroy(id), -EBUSY);
    dom0 = &guests[0]->d;
    assert_int_equal(pool_move(dom0, id), -EPERM);
    dom0 = NULL;
    /* A domain that dies holds up nobody. */
    g->d.life = DOMAIN_DYING;
    pool_retire(&g->d);
    assert_int_equal(pool_move(&g->d, id), -ESRCH);
    remove_cpu(id, 1);
    assert_int_equal(pool_destroy(id), 0);
    assert_int_equal(pools[0].domains, 2);
    pool_leave(&g->d);
    assert_int_equal(pools[0].domains, 1);
    sim_end();
}

static void a_cpu_that_dom0_pinned_itself_to_stays(void **state)
{
    struct guest *g;

    sim_start(2);
    g = guest_new(2, 256, 0);
    dom0 = &g->d;
    assert_int_equal(sched_pin_override(&g->v[1], 1), 0);
    assert_int_equal(pool_remove_cpu(0, 1), -EADDRINUSE);
    assert_int_equal(sched_pin_override(&g->v[1], -1), 0);
    remove_cpu(0, 1);
    assert_int_equal(sched_pin_override(&g->v[1], 1), -EINVAL);
    dom0 = NULL;
    sim_end();
}

/* ---- Who runs where ---- */

static void everyone_runs_in_his_pool_only(void **state)
{
    struct guest *g[4];
    unsigned id;

    sim_start(4);
    for (unsigned i = 0; i < 4; i++)
        guest_up(g[i] = guest_new(2, 256, 0), MS(1 + i), i % 2 ? MS(1) : 0);
    sim_run(MS(100));
    id = new_pool(0xc);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pool_move(&g[i]->d, id), 0);
    sim_settle();
    forget_where_they_ran();
    sim_run(SEC(3));
    check_pools();
    for (unsigned i = 0; i < 4; i++)
        for (unsigned n = 0; n < 2; n++)
            assert_true(g[i]->at[n].seen && !(g[i]->at[n].seen & (i < 2 ? 0x3 : 0xc)));
    sim_end();
}

static void a_cpu_of_no_pool_idles_and_works_again_when_it_joins(void **state)
{
    struct guest *g[2];
    uint64_t before;

    sim_start(2);
    for (unsigned i = 0; i < 2; i++)
        guest_up(g[i] = guest_new(1, 256, 0), 0, 0);
    sim_run(SEC(1));
    assert_true(remove_cpu(0, 1) > 0);
    forget_where_they_ran();
    before = sched_domain_time(&g[0]->d);
    sim_run(SEC(2));
    assert_null(fake_pcpu[1].current);
    assert_true(fake_deadline[1] == ~0ull);
    assert_int_equal(g[0]->at[0].seen | g[1]->at[0].seen, 1);
    assert_in_range((uint64_t)share(g[0], before, SEC(2)), 49, 51);
    assert_int_equal(pool_add_cpu(0, 1), 0);
    before = sched_domain_time(&g[0]->d);
    sim_run(SEC(1));
    assert_in_range((uint64_t)share(g[0], before, SEC(1)), 99, 100);
    sim_end();
}

static void a_move_catches_runners_waiters_sleepers_and_the_parked(void **state)
{
    struct guest *g[5];
    unsigned id;

    sim_start(3);
    id = new_pool(4);
    g[0] = guest_new(1, 256, 0);  /* runs or waits */
    g[1] = guest_new(4, 256, 0);
    g[2] = guest_new(1, 256, 0);  /* sleeps a lot  */
    g[3] = guest_new(2, 256, 10); /* is parked     */
    guest_up(guest_new(1, 256, 0), 0, 0);
    guest_up(g[0], 0, 0);
    guest_up(g[1], 0, 0);
    guest_up(g[2], US(100), MS(9));
    guest_up(g[3], 0, 0);
    sim_run(MS(207));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pool_move(&g[i]->d, id), 0);
    sim_settle();
    forget_where_they_ran();
    sim_run(SEC(1));
    for (unsigned i = 0; i < 4; i++)
        for (unsigned n = 0; n < g[i]->vcpus; n++)
            assert_int_equal(g[i]->at[n].seen, 4);
    assert_int_equal(guests[guest_count - 1]->at[0].seen & 4, 0);
    check_pools();
    sim_end();
}

static void affinity_holds_within_the_pool_and_widens_when_it_must(void **state)
{
    cpumask_t zero = 1, one = 2, two = 4, three = 8, both = 0xa, all = 0xf;
    struct guest *g;
    unsigned id;

    sim_start(4);
    g = guest_new(3, 256, 0);
    guest_up(g, 0, 0);
    id = new_pool(0xe);
    assert_int_equal(sched_set_affinity(&g->v[0], &zero, &two), 0);
    assert_int_equal(pool_move(&g->d, id), 0);
    assert_int_equal(g->v[0].hard, all); /* it starts afresh in another pool */
    assert_int_equal(g->v[0].soft, all);
    assert_int_equal(sched_cpus(&g->v[0]), 0xe);
    assert_int_equal(sched_set_affinity(&g->v[0], &zero, NULL), -EINVAL);
    assert_int_equal(sched_set_affinity(&g->v[0], &both, NULL), 0);
    assert_int_equal(sched_set_affinity(&g->v[1], &three, NULL), 0);
    sim_run(MS(500));
    assert_int_equal(g->v[1].running_on, 3);
    remove_cpu(id, 3);
    assert_int_equal(g->v[0].hard, both); /* one of its CPUs is still there */
    assert_int_equal(sched_cpus(&g->v[0]), one);
    assert_int_equal(g->v[1].hard, all);
    forget_where_they_ran();
    sim_run(MS(500));
    assert_int_equal(g->at[0].seen, one);
    assert_int_equal(g->at[1].seen & ~6ull, 0);
    /* The CPU comes back: what was widened stays so. */
    assert_int_equal(pool_add_cpu(id, 3), 0);
    assert_int_equal(sched_cpus(&g->v[0]), both);
    assert_int_equal(g->v[1].hard, all);
    check_pools();
    sim_end();
}

static void each_pool_shares_by_weight_for_itself(void **state)
{
    struct guest *g[5];
    unsigned id;

    sim_start(3);
    id = new_pool(6);
    assert_int_equal(pool_set_ratelimit_us(id, 2000), 0);
    assert_int_equal(pool_ratelimit_us(0), 1000);
    assert_int_equal(pool_ratelimit_us_at(0), 1000);
    assert_int_equal(pool_ratelimit_us_at(2), 2000);
    for (unsigned i = 0; i < 5; i++) {
        guest_up(g[i] = guest_new(1, i % 2 ? 512 : 256, 0), 0, 0);
        if (i >= 2)
            assert_int_equal(pool_move(&g[i]->d, id), 0);
    }
    sim_run(SEC(10));
    assert_share(g[0], SEC(10), 33.33, 1);
    assert_share(g[1], SEC(10), 66.67, 1);
    assert_share(g[2], SEC(10), 50, 1);
    assert_share(g[3], SEC(10), 100, 1);
    assert_share(g[4], SEC(10), 50, 1);
    sim_end();
}

/* ---- Many ---- */

static void a_removal_goes_on_where_its_budget_ended(void **state)
{
    cpumask_t one = 2;

    sim_start(2);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(sched_set_affinity(&guest_new(1, 256, 0)->v[0], &one, NULL), 0);
    fake_pcpu[0].budget = 40; /* five domains */
    assert_int_equal(pool_remove_cpu(0, 1), -ERESTART);
    assert_int_equal(guests[4]->v[0].hard, 3);
    assert_int_equal(guests[5]->v[0].hard, one);
    /* Nobody waits for a call that never comes again: another one ends it. */
    assert_int_equal(pool_add_cpu(new_pool(0), 1), 0);
    remove_cpu(1, 1);
    assert_int_equal(pool_add_cpu(0, 1), 0);
    assert_true(remove_cpu(0, 1) < 5);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(guests[i]->v[0].hard, 3);
    sim_end();
}

static void a_long_life_with_pools_keeps_the_rules(void **state)
{
    unsigned r = 1;

    sim_start(4);
    (void)new_pool(2);
    (void)new_pool(0);
    for (unsigned i = 0; i < 10; i++)
        guest_up(guest_new(1 + i % 3, (uint16_t)(100 + i * 50), i % 4 ? 0 : 40), US(100 + i * 300),
                 i % 3 ? US(50 + i * 700) : 0);
    for (unsigned round = 0; round < 4000; round++) {
        struct guest *g = guests[(r = r * 1103515245 + 12345) >> 16 & 7];
        struct vcpu *v = &g->v[(r >> 8) % g->vcpus];
        cpumask_t mask = 1 + (r >> 20) % 15;
        unsigned pool = (r >> 12) % 3, cpu = (r >> 24) % 4;

        switch (round % 5) {
        case 0: (void)sched_set_affinity(v, &mask, NULL); break;
        case 1: (void)pool_move(&g->d, pool); break;
        case 2:
            while (pool_remove_cpu(pool, cpu) == -ERESTART)
                sim_settle();
            break;
        case 3: (void)pool_add_cpu(pool, POOL_ANY); break;
        default: (r >> 28 & 1 ? vcpu_pause_set : vcpu_pause_clear)(v, PAUSE_DOWN); break;
        }
        sim_settle();
        check_pools();
        sim_run(US(r >> 22));
        check_pools();
    }
    for (unsigned n = 0; n < guest_count; n++) {
        for (unsigned i = 0; i < guests[n]->vcpus; i++) {
            vcpu_pause_clear(&guests[n]->v[i], PAUSE_DOWN);
            guests[n]->at[i].ran = 0;
        }
    }
    sim_run(SEC(3));
    for (unsigned n = 0; n < guest_count; n++)
        for (unsigned i = 0; i < guests[n]->vcpus; i++)
            assert_true(guests[n]->at[i].ran > 0);
    sim_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_given_upwards_and_kept),
        cmocka_unit_test(cpus_are_in_one_pool_or_free),
        cmocka_unit_test(a_pool_with_domains_keeps_its_last_cpu),
        cmocka_unit_test(a_cpu_that_dom0_pinned_itself_to_stays),
        cmocka_unit_test(everyone_runs_in_his_pool_only),
        cmocka_unit_test(a_cpu_of_no_pool_idles_and_works_again_when_it_joins),
        cmocka_unit_test(a_move_catches_runners_waiters_sleepers_and_the_parked),
        cmocka_unit_test(affinity_holds_within_the_pool_and_widens_when_it_must),
        cmocka_unit_test(each_pool_shares_by_weight_for_itself),
        cmocka_unit_test(a_removal_goes_on_where_its_budget_ended),
        cmocka_unit_test(a_long_life_with_pools_keeps_the_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
