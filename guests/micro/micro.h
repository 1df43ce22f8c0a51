/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a test of the micro guest may use: the test table, expectations, printing, traps, memory, events.
 *
 *   TEST(name) { ... }             a test; FAMILY (set by the Makefile) is the file's family
 *   TEST_DESTRUCTIVE(name) { }     runs only when the command line says destructive=name: it ends the guest
 *   EXPECT(cond)                   the condition holds
 *   EXPECT_EQ(got, want)           the two numbers are the same; EXPECT_NE, EXPECT_GE alike
 *   obs("name", value)             a fact that is only compared between hypervisors
 */
#ifndef MICRO_H
#define MICRO_H

#include "hypercall.h"

/* ---- tests ---- */

struct test {
    const char *family;
    const char *name;
    void (*run)(void);
    bool destructive;
};

#define TEST_ENTRY(fn, destroys)                                                            \
    static void run_##fn(void);                                                             \
    static const struct test test_##fn __attribute__((used, aligned(8), section(".tests"))) \
        = { FAMILY, #fn, run_##fn, destroys };                                              \
    static void run_##fn(void)
#define TEST(fn)             TEST_ENTRY(fn, false)
#define TEST_DESTRUCTIVE(fn) TEST_ENTRY(fn, true)

const struct test *test_running(void);

/* Reports one comparison; prints only failures. Gives ok back, so a test can stop early. */
bool check(int line, bool ok, const char *what, long got, long want, bool show);

#define EXPECT(cond)         check(__LINE__, !!(cond), #cond, 0, 0, false)
#define EXPECT_EQ(got, want) check_eq(__LINE__, #got " == " #want, (long)(got), (long)(want))
#define EXPECT_NE(got, want) check_ne(__LINE__, #got " != " #want, (long)(got), (long)(want))
#define EXPECT_GE(got, want) check_ge(__LINE__, #got " >= " #want, (long)(got), (long)(want))

static inline bool check_eq(int line, const char *what, long got, long want)
{
    return check(line, got == want, what, got, want, true);
}

static inline bool check_ne(int line, const char *what, long got, long want)
{
    return check(line, got != want, what, got, want, true);
}

static inline bool check_ge(int line, const char *what, long got, long want)
{
    return check(line, got >= want, what, got, want, true);
}

void obs(const char *name, long value);
void obs_str(const char *name, const char *value);

/* ---- printing and strings (print.c) ---- */

/*
 * Knows %d %u %x %s %c %% with `l`, a width and zero padding; one line reaches the console in one
 * hypercall.
 */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same into a string: cut where it does not fit, always ended. */
void text(char *to, size_t room, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/*
 * An unprivileged guest writes to the ring that its builder made; before this, and in dom0, print uses
 * console_io.
 */
void console_init(void);
void *memset(void *p, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* ---- the guest itself (main.c) ---- */

extern struct start_info *start_info;
extern uint64_t boot_rsp;
extern char hypercall_page[4096];

bool is_dom0(void);
/* The value of `key=` on the command line, ended by a space or the end of the line; NULL when absent. */
const char *option(const char *key);
void shutdown(unsigned int reason) __attribute__((noreturn));

#define PAGE_SIZE 4096UL
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
