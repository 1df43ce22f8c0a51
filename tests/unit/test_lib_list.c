/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/list.h against the order in which elements were put in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/list.h"

struct item {
    int n;
    struct list_head link;
};

/* The numbers on the list, as decimal digits; also walks backwards and compares. */
static long digits(struct list_head *head)
{
    struct item *i;
    long forward = 0, backward = 0, scale = 1;

    list_for_each_entry(i, head, link)
        forward = forward * 10 + i->n;
    list_for_each_entry_reverse(i, head, link) {
        backward += scale * i->n;
        scale *= 10;
    }
    assert_int_equal(forward, backward);
    return forward;
}

static void add_and_remove(void **state)
{
    struct list_head head = LIST_HEAD_INIT(head), *pos;
    struct item i[5] = { { .n = 1 }, { .n = 2 }, { .n = 3 }, { .n = 4 }, { .n = 5 } };
    int n = 0;

    (void)state;
    assert_true(list_empty(&head));
    assert_null(list_first_entry(&head, struct item, link));
    assert_null(list_last_entry(&head, struct item, link));
    list_add_tail(&i[1].link, &head);
    list_add_tail(&i[2].link, &head);
    list_add(&i[0].link, &head);
    list_add(&i[3].link, &i[2].link);
    list_add_tail(&i[4].link, &i[0].link);
    assert_int_equal(digits(&head), 51234);
    assert_int_equal(list_first_entry(&head, struct item, link)->n, 5);
    assert_int_equal(list_last_entry(&head, struct item, link)->n, 4);
    list_del(&i[1].link);
    list_del(&i[1].link);
    assert_true(list_empty(&i[1].link));
    assert_int_equal(digits(&head), 5134);
    list_move_tail(&i[4].link, &head);
    assert_int_equal(digits(&head), 1345);
    list_for_each(pos, &head)
        n++;
    assert_int_equal(n, 4);
}

static void removal_while_walking(void **state)
{
    struct list_head head = LIST_HEAD_INIT(head);
    struct item i[6], *pos, *after;

    (void)state;
    for (int n = 0; n < 6; n++) {
        i[n].n = n + 1;
        list_add_tail(&i[n].link, &head);
    }
    list_for_each_entry_safe(pos, after, &head, link) {
        if (pos->n % 2)
            list_del(&pos->link);
    }
    assert_int_equal(digits(&head), 246);
    list_for_each_entry_safe(pos, after, &head, link)
        list_del(&pos->link);
    assert_true(list_empty(&head));
}

static void splice(void **state)
{
    struct list_head a = LIST_HEAD_INIT(a), b = LIST_HEAD_INIT(b);
    struct item i[4];

    (void)state;
    for (int n = 0; n < 4; n++) {
        i[n].n = n + 1;
        list_add_tail(&i[n].link, n < 2 ? &a : &b);
    }
    list_splice_tail(&b, &a);
    assert_int_equal(digits(&a), 1234);
    assert_true(list_empty(&b));
    list_splice_tail(&b, &a);
    assert_int_equal(digits(&a), 1234);
    list_splice_tail(&a, &b);
    assert_int_equal(digits(&b), 1234);
    assert_true(list_empty(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_and_remove),
        cmocka_unit_test(removal_while_walking),
        cmocka_unit_test(splice),
    };

    return cmocka_run_group_tests_name("lib/list", tests, NULL, NULL);
}
