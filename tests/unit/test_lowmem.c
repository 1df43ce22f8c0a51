/* SPDX-License-Identifier: BSD-2-Clause */
/* core/lowmem.c: who listens is told once at each level, and again only after memory came back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/lowmem.c"

static uint64_t free_pages;
static unsigned told;

uint64_t frames_free_count(void) { return free_pages; }

void virq_raise_global(unsigned virq)
{
    assert_int_equal(virq, VIRQ_ENOMEM);
    told++;
}

/* How often the virq was raised on the way to so much free memory, in KiB. */
static unsigned go(uint64_t kib)
{
    told = 0;
    free_pages = kib >> 2;
    lowmem_check();
    lowmem_check();
    return told;
}

static void each_half_is_told_once(void **state)
{
    assert_int_equal(go(1 << 20), 0);
    assert_int_equal(go(64 << 10), 0);
    for (unsigned kib = 64 << 10; kib >= 2 << 10; kib /= 2) {
        assert_int_equal(go(kib - 4), 1);
        assert_int_equal(go(kib / 2), 0);
    }
    assert_int_equal(go(0), 0);
}

static void a_level_counts_again_when_half_as_much_more_was_free(void **state)
{
    assert_int_equal(go(1 << 20), 0);
    assert_int_equal(go(60 << 10), 1);
    for (unsigned i = 0; i < 5; i++) { /* about a level: not each time */
        assert_int_equal(go(90 << 10), 0);
        assert_int_equal(go(60 << 10), 0);
    }
    assert_int_equal(go(96 << 10), 0);
    assert_int_equal(go(60 << 10), 1);
    /* Many levels in one step are one fall. */
    assert_int_equal(go(1 << 20), 0);
    assert_int_equal(go(3 << 10), 1);
    assert_int_equal(go(13 << 10), 0);
    assert_int_equal(go(7 << 10), 1);
    assert_int_equal(go(5 << 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_half_is_told_once),
        cmocka_unit_test(a_level_counts_again_when_half_as_much_more_was_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
