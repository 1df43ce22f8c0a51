/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/string.c, x86/mem.c and lib/strlcpy.c against the C library, over all small sizes, offsets and overlaps.
 *
 * The image's versions are included here under other names, since a hosted build links the library's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/types.h"

#define memcpy  our_memcpy
#define memmove our_memmove
#define memset  our_memset
#define memcmp  our_memcmp
#define memchr  our_memchr
#define strlen  our_strlen
#define strnlen our_strnlen
#define strcmp  our_strcmp
#define strncmp our_strncmp
#define strchr  our_strchr
#define strstr  our_strstr
#include "lib/string.c"
#include "x86/mem.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strstr

enum { ROOM = 96 };

static void fresh(unsigned char *a, unsigned char *b)
{
    for (int i = 0; i < ROOM; i++)
        a[i] = b[i] = (unsigned char)(i * 37 + 11);
}

static void copies(void **state)
{
    unsigned char a[ROOM], b[ROOM], from[ROOM];

    (void)state;
    for (int i = 0; i < ROOM; i++)
        from[i] = (unsigned char)(i ^ 0x5a);
    for (size_t n = 0; n <= 40; n++)
    for (size_t d = 0; d < 10; d++)
    for (size_t s = 0; s < 10; s++) {
        fresh(a, b);
        assert_ptr_equal(our_memcpy(a + d, from + s, n), a + d);
        memcpy(b + d, from + s, n);
        assert_memory_equal(a, b, ROOM);
        our_memset(a + d, (int)(n + 0x1f0), n);
        memset(b + d, (int)(n + 0x1f0), n);
        assert_memory_equal(a, b, ROOM);
    }
}

static void moves_with_every_overlap(void **state)
{
    unsigned char a[ROOM], b[ROOM];

    (void)state;
    for (size_t n = 0; n <= 40; n++)
    for (size_t d = 0; d < 48; d++)
    for (size_t s = 0; s < 48; s++) {
        fresh(a, b);
        assert_ptr_equal(our_memmove(a + d, a + s, n), a + d);
        memmove(b + d, b + s, n);
        assert_memory_equal(a, b, ROOM);
    }
}

static int sign(int n)
{
    return n < 0 ? -1 : n > 0;
}

static void comparisons(void **state)
{
    static const char *const t[] = { "", "a", "b", "ab", "abc", "abd", "\xff", "a\xff", "aaaaaaaaaaaaaaab" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
    for (size_t j = 0; j < ARRAY_SIZE(t); j++) {
        size_t least = MIN(strlen(t[i]), strlen(t[j]));

        assert_int_equal(sign(our_strcmp(t[i], t[j])), sign(strcmp(t[i], t[j])));
        assert_int_equal(sign(our_memcmp(t[i], t[j], least)), sign(memcmp(t[i], t[j], least)));
        assert_ptr_equal(our_strstr(t[i], t[j]), strstr(t[i], t[j]));
        for (size_t n = 0; n < 6; n++)
            assert_int_equal(sign(our_strncmp(t[i], t[j], n)), sign(strncmp(t[i], t[j], n)));
    }
    assert_string_equal(our_strstr("abababc", "babc"), "babc");
    assert_null(our_strstr("abab", "abc"));
}

static void searches(void **state)
{
    const char *s = "one,two";

    (void)state;
    for (int c = 0; c < 256; c++) {
        assert_ptr_equal(our_strchr(s, c), strchr(s, c));
        assert_ptr_equal(our_memchr(s, c, 3), memchr(s, c, 3));
    }
    assert_int_equal(our_strlen(s), 7);
    assert_int_equal(our_strlen(""), 0);
    assert_int_equal(our_strnlen(s, 3), 3);
    assert_int_equal(our_strnlen(s, 30), 7);
}

static void bounded_copy(void **state)
{
    char buf[8];

    (void)state;
    for (size_t size = 0; size <= sizeof(buf); size++) {
        memset(buf, '#', sizeof(buf));
        assert_int_equal(strlcpy(buf, "abcde", size), 5);
        for (size_t i = 0; i < sizeof(buf); i++) {
            char want = i >= MIN(size, (size_t)6) ? '#' : i + 1 == MIN(size, (size_t)6) ? '\0' : "abcde"[i];

            assert_int_equal(buf[i], want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),
        cmocka_unit_test(moves_with_every_overlap),
        cmocka_unit_test(comparisons),
        cmocka_unit_test(searches),
        cmocka_unit_test(bounded_copy),
    };

    return cmocka_run_group_tests_name("lib/string", tests, NULL, NULL);
}
