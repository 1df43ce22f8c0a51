/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/grant_entry.c against a granter that acts between any two looks at its entry: in every order one by
 * one, and with real threads. The claim: an entry that its owner took back by the rules of
 * <xen/grant_table.h> is in nobody's hands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "tests/unit/fake_grant.h"

enum { REF = 9, MOVES = 12 };

static mfn_t first, second;
static int move_at, moves_made;
static bool taken_back;

static void grant_to(domid_t to, mfn_t m)
{
    if (grant_table(&doms[2])->version == 1) {
        entry_v1(2, REF, GTF_permit_access, to, (uint32_t)m.n);
        return;
    }
    entry_v2(2, REF)->full_page.frame = m.n;
    entry_v2(2, REF)->hdr.domid = to;
    atomic_store((_Atomic uint16_t *)&entry_v2(2, REF)->hdr.flags, (uint16_t)GTF_permit_access);
}

/* Ends access by the rules: true if the entry is the guest's own again. */
static bool take_back(void)
{
    _Atomic uint16_t *flags = grant_shared(grant_table(&doms[2]), REF);
    uint16_t seen = *flags;

    if (grant_table(&doms[2])->version == 1)
        return !(seen & (GTF_reading | GTF_writing)) &&
               atomic_compare_exchange_strong_explicit(flags, &seen, 0, memory_order_seq_cst,
                                                       memory_order_seq_cst);
    atomic_store(flags, 0);
    return !(*grant_status(grant_table(&doms[2]), REF) & (GTF_reading | GTF_writing));
}

/* ---- One move of the guest's at each point ---- */

static void move_revoke(void)
{
    if (moves_made++ == move_at)
        taken_back = take_back();
}

static void move_regrant(void)
{
    if (moves_made++ == move_at) {
        taken_back = take_back();
        if (taken_back)
            grant_to(1, second);
    }
}

static void move_to_another(void)
{
    if (moves_made++ == move_at) {
        taken_back = take_back();
        if (taken_back)
            grant_to(3, first);
    }
}

static void move_read_only(void)
{
    _Atomic uint16_t *flags = grant_shared(grant_table(&doms[2]), REF);

    if (moves_made++ == move_at) {
        atomic_fetch_or(flags, GTF_readonly);
        if (grant_table(&doms[2])->version == 2)
            taken_back = !(*grant_status(grant_table(&doms[2]), REF) & GTF_writing);
        else
            taken_back = !(*flags & GTF_writing);
    }
}

/* Against the rules: another kind of grant, while it may be in use already. */
static void move_other_kind(void)
{
    if (moves_made++ == move_at)
        atomic_fetch_or((_Atomic uint16_t *)grant_shared(grant_table(&doms[2]), REF), (uint16_t)GTF_sub_page);
}

/* Maps REF writable while `hook` makes its move at point `at`. A status; the handle in *op. */
static int16_t map_with(void (*hook)(void), int at, struct gnttab_map_grant_ref *op)
{
    int16_t status;

    moves_made = 0;
    move_at = at;
    taken_back = false;
    world_hook = hook;
    status = map(1, 2, REF, GNTMAP_host_map, VA(0), op);
    world_hook = NULL;
    return status;
}

static void each_move_at_each_point(void **state)
{
    static void (*const hooks[])(void) = { move_revoke, move_to_another, move_read_only, move_regrant, move_other_kind };
    unsigned mapped = 0, refused = 0, second_mapped = 0;
    struct gnttab_map_grant_ref op;

    (void)state;
    guests_honest = false;
    first = frame_new(2);
    second = frame_new(2);
    for (unsigned version = 1; version <= 2; version++) {
        assert_int_equal(grants_set_version(&doms[2], version), 0);
        for (unsigned h = 0; h < ARRAY_SIZE(hooks); h++) {
            for (int at = 0; at < MOVES; at++) {
                grant_to(1, first);
                if (map_with(hooks[h], at, &op) == GNTST_okay) {
                    mapped++;
                    assert_int_equal(grant_active(grant_table(&doms[2]), REF)->entry.kind, GRANT_PAGE);
                    if (hooks[h] == move_regrant)
                        assert_int_equal(pte_mfn(*slot_of(1, 0)), taken_back ? second.n : first.n);
                    else
                        assert_false(taken_back);
                    second_mapped += pte_mfn(*slot_of(1, 0)) == second.n;
                    world_audit();
                    assert_int_equal(unmap(1, op.handle, VA(0), 0), GNTST_okay);
                } else {
                    refused++;
                }
                world_audit();
                assert_int_equal(grant_table(&doms[2])->pinned, 0);
                if (version == 2)
                    assert_int_equal(*grant_status(grant_table(&doms[2]), REF), 0);
            }
        }
    }
    assert_true(mapped > 0 && refused > 0 && second_mapped > 0);
}

/* ---- A guest that never stops ---- */

/* Counts in bits that mean nothing, so no two looks see the same. */
static void move_flip(void)
{
    _Atomic uint16_t *flags = grant_shared(grant_table(&doms[2]), REF);

    moves_made++;
    *flags = (uint16_t)((*flags & ~(7u * GTF_PWT)) | (moves_made % 8u * GTF_PWT));
}

static void move_flip_frame(void)
{
    struct grant_entry_v1 *e = grant_shared(grant_table(&doms[2]), REF);

    moves_made++;
    e->frame = e->frame == (uint32_t)first.n ? (uint32_t)second.n : (uint32_t)first.n;
}

static void endless_changes_end_in_an_error(void **state)
{
    struct gnttab_map_grant_ref op;
    mfn_t m;

    (void)state;
    first = frame_new(2);
    second = frame_new(3);
    grant_to(1, first);
    assert_int_equal(map_with(move_flip, 0, &op), GNTST_general_error);
    assert_true(moves_made < 3 * GRANT_LOOKS);
    world_audit();
    /* The frame is read once: what is checked is what is mapped. */
    for (unsigned i = 0; i < 2; i++) {
        grant_to(1, i ? second : first);
        if (map_with(move_flip_frame, 0, &op) != GNTST_okay)
            continue;
        m = mfn(pte_mfn(*slot_of(1, 0)));
        assert_int_equal(frame_of(m)->owner, 2);
        world_audit();
        assert_int_equal(unmap(1, op.handle, VA(0), 0), GNTST_okay);
    }
    world_audit();
}

static void move_accept_no_more(void)
{
    if (moves_made++ == move_at)
        entry_v1(2, REF, GTF_permit_access, 1, 7);
}

static void a_transfer_that_is_not_accepted_any_more(void **state)
{
    unsigned given = 0, refused = 0;

    (void)state;
    guests_honest = false;
    for (move_at = 0; move_at < 6; move_at++) {
        struct gnttab_transfer op = { .mfn = frame_new(1).n, .domid = 2, .ref = REF };
        uint64_t m = op.mfn;

        entry_v1(2, REF, GTF_accept_transfer, 1, 0);
        moves_made = 0;
        world_hook = move_accept_no_more;
        assert_int_equal(gnttab(1, GNTTABOP_transfer, &op, 1), 0);
        world_hook = NULL;
        given += op.status == GNTST_okay;
        refused += op.status != GNTST_okay;
        assert_int_equal(frame_of(mfn(m))->refs & REFS_OWNED, op.status == GNTST_okay ? REFS_OWNED : 0);
        world_audit();
    }
    assert_true(given > 0 && refused > 0);
}

/* ---- Threads ---- */

enum { REFS = 4, THREADS = 2, ROUNDS = 3000, FIRST_REF = 16 };

static struct race {
    _Atomic unsigned epoch[REFS]; /* odd: taken back */
    mfn_t frame[REFS], own[THREADS];
    _Atomic bool stop;
    _Atomic unsigned mapped, copied, taken, broken;
} race;

/* Domain 2: grants, takes back by the rules, writes what nobody may see, and grants again. */
static void *granter(void *arg)
{
    uint16_t seen;

    (void)arg;
    fake_cpu = 3;
    while (!race.stop) {
        for (unsigned i = 0; i < REFS; i++) {
            _Atomic uint16_t *flags = grant_shared(grant_table(&doms[2]), FIRST_REF + i);

            seen = *flags;
            if ((seen & (GTF_reading | GTF_writing)) ||
                !atomic_compare_exchange_strong_explicit(flags, &seen, 0, memory_order_seq_cst,
                                                         memory_order_seq_cst))
                continue;
            race.epoch[i]++;
            memset(machine_frame(race.frame[i]), 0xee, 64);
            race.taken++;
            memset(machine_frame(race.frame[i]), 0x11, 64);
            race.epoch[i]++;
            atomic_store(flags, (uint16_t)GTF_permit_access);
        }
    }
    return NULL;
}

static void map_round(unsigned me, unsigned i, bool readonly)
{
    struct gnttab_map_grant_ref op;
    unsigned epoch;

    if (map(1, 2, FIRST_REF + i, GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0), VA(me), &op) !=
        GNTST_okay)
        return;
    race.mapped++;
    epoch = race.epoch[i];
    if ((epoch & 1) || *(uint8_t *)machine_frame(race.frame[i]) != 0x11)
        race.broken++;
    sched_yield();
    if (race.epoch[i] != epoch)
        race.broken++;
    if (unmap(1, op.handle, VA(me), 0) != GNTST_okay)
        race.broken++;
}

static void copy_round(unsigned me, unsigned i)
{
    uint8_t *got = machine_frame(race.own[me]);
    struct gnttab_copy op = {
        .source.domid = 2, .dest.domid = DOMID_SELF, .len = 64, .flags = GNTCOPY_source_gref
    };

    op.source.u.ref = FIRST_REF + i;
    op.dest.u.gmfn = race.own[me].n;
    if (gnttab(1, GNTTABOP_copy, &op, 1) || op.status != GNTST_okay)
        return;
    race.copied++;
    for (unsigned b = 0; b < 64; b++)
        race.broken += got[b] != 0x11;
}

static void *mapper(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;

    fake_cpu = 1 + me;
    for (unsigned n = 0; n < ROUNDS; n++) {
        map_round(me, n % REFS, n & 4);
        copy_round(me, (n + me) % REFS);
    }
    return NULL;
}

static void threads_map_and_copy_while_access_ends(void **state)
{
    pthread_t owner, thread[THREADS];

    (void)state;
    memset(&race, 0, sizeof(race));
    for (unsigned i = 0; i < REFS; i++) {
        race.frame[i] = frame_new(2);
        memset(machine_frame(race.frame[i]), 0x11, PAGE_SIZE);
        entry_v1(2, FIRST_REF + i, GTF_permit_access, 1, (uint32_t)race.frame[i].n);
    }
    for (unsigned t = 0; t < THREADS; t++)
        race.own[t] = frame_new(1);
    pthread_create(&owner, NULL, granter, NULL);
    for (uintptr_t t = 0; t < THREADS; t++)
        pthread_create(&thread[t], NULL, mapper, (void *)t);
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(thread[t], NULL);
    race.stop = true;
    pthread_join(owner, NULL);
    assert_int_equal(race.broken, 0);
    assert_true(race.mapped > 0 && race.copied > 0 && race.taken > 0);
    world_audit();
    assert_int_equal(grant_table(&doms[2])->pinned, 0);
    assert_int_equal(grants_mapped(&doms[1]), 0);
}

/* Two CPUs of one domain unmap the same handles at once: each handle ends exactly once. */
static struct gnttab_unmap_grant_ref same[2][SLOTS / 4];

static void *unmapper(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;

    fake_cpu = 1 + me;
    gnttab(1, GNTTABOP_unmap_grant_ref, same[me], ARRAY_SIZE(same[me]));
    return NULL;
}

static void threads_unmap_the_same(void **state)
{
    struct gnttab_map_grant_ref op;
    pthread_t thread[2];

    (void)state;
    first = frame_new(2);
    grant_to(1, first);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < ARRAY_SIZE(same[0]); i++) {
            assert_int_equal(map(1, 2, REF, GNTMAP_host_map, VA(i), &op), GNTST_okay);
            same[0][i] = same[1][i] =
                (struct gnttab_unmap_grant_ref){ .host_addr = VA(i), .handle = op.handle };
        }
        for (uintptr_t t = 0; t < 2; t++)
            pthread_create(&thread[t], NULL, unmapper, (void *)t);
        for (unsigned t = 0; t < 2; t++)
            pthread_join(thread[t], NULL);
        for (unsigned i = 0; i < ARRAY_SIZE(same[0]); i++)
            assert_true((same[0][i].status == GNTST_okay) != (same[1][i].status == GNTST_okay));
        world_audit();
        assert_int_equal(grants_mapped(&doms[1]), 0);
    }
}

static struct gnttab_map_grant_ref once;

static void unmap_it_too(void)
{
    unmap_hook = NULL;
    assert_int_equal(unmap(1, once.handle, VA(0), 0), GNTST_bad_handle);
}

/* The same in the one order that matters: while the first is at the page table. */
static void an_unmap_inside_another(void **state)
{
    (void)state;
    first = frame_new(2);
    grant_to(1, first);
    assert_int_equal(map(1, 2, REF, GNTMAP_host_map, VA(0), &once), GNTST_okay);
    unmap_hook = unmap_it_too;
    assert_int_equal(unmap(1, once.handle, VA(0), 0), GNTST_okay);
    assert_null(unmap_hook);
    world_audit();
    assert_int_equal(grants_mapped(&doms[1]), 0);
}

/* What a granter writes into an entry that is in use counts for nobody. */
static void an_entry_rewritten_while_in_use(void **state)
{
    struct gnttab_copy copy = {
        .source.domid = 2, .dest.domid = DOMID_SELF, .len = 8, .flags = GNTCOPY_source_gref
    };
    struct gnttab_map_grant_ref op;

    (void)state;
    first = frame_new(2);
    for (unsigned version = 1; version <= 2; version++) {
        assert_int_equal(grants_set_version(&doms[2], version), 0);
        grant_to(1, first);
        assert_int_equal(map(1, 2, REF, GNTMAP_host_map | GNTMAP_readonly, VA(0), &once), GNTST_okay);
        ((struct grant_entry_header *)grant_shared(grant_table(&doms[2]), REF))->domid = 3;
        assert_int_equal(map(3, 2, REF, GNTMAP_host_map, VA(0), &op), GNTST_general_error);
        world_audit();
        ((struct grant_entry_header *)grant_shared(grant_table(&doms[2]), REF))->domid = 1;
        ((struct grant_entry_header *)grant_shared(grant_table(&doms[2]), REF))->flags |= GTF_sub_page;
        copy.source.u.ref = REF;
        copy.dest.u.gmfn = frame_new(1).n;
        copy.status = 1;
        assert_int_equal(gnttab(1, GNTTABOP_copy, &copy, 1), 0);
        assert_int_equal(copy.status, GNTST_general_error);
        copy = (struct gnttab_copy){ .source.domid = 2, .dest.domid = DOMID_SELF, .len = 8,
                                     .flags = GNTCOPY_source_gref };
        assert_int_equal(unmap(1, once.handle, VA(0), 0), GNTST_okay);
        world_audit();
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_new, world_end)
    const struct CMUnitTest tests[] = {
        T(each_move_at_each_point),
        T(endless_changes_end_in_an_error),
        T(a_transfer_that_is_not_accepted_any_more),
        T(threads_map_and_copy_while_access_ends),
        T(threads_unmap_the_same),
        T(an_unmap_inside_another), T(an_entry_rewritten_while_in_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
