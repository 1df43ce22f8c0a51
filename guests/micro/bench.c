/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs benches and prints their rows; see bench.h. */

#include "bench.h"

extern const struct bench benches_start[], benches_end[];

#define SAMPLES 24

static uint64_t empty;      /* what a measurement of nothing costs */

void bench_print(const char *family, const char *row, uint64_t cost, uint64_t per)
{
    BENCH_SAY(BENCH_ROW_ENDS);
    print("bench %s.%s %lu\n", family, row, (cost + per / 2) / per);
}

void bench_row(const char *family, const char *row, uint64_t cost, uint64_t per)
{
    bench_print(family, row, cost > empty ? cost - empty : 0, per);
}

void bench_need(const char *what, long rc)
{
    if (rc < 0)
        print("bench failed: %s: %ld\n", what, rc);
}

unsigned int bench_samples(const char *family, const char *row)
{
    const char *only = option("row"), *samples = option("samples");
    size_t n = strlen(family);
    unsigned int count = 0;

    if (!only || !samples)
        return SAMPLES;
    if (strncmp(only, family, n) || only[n] != '.' || strncmp(only + n + 1, row, strlen(row)) || only[n + 1 + strlen(row)] != ' ')
        return 1;
    for (; *samples >= '0' && *samples <= '9'; samples++)
        count = count * 10 + (unsigned int)(*samples - '0');
    return count;
}

static void measure_nothing(void)
{
    unsigned int i;

    empty = ~0UL;
    for (i = 0; i < SAMPLES; i++) {
        uint64_t began = rdtsc(), took = rdtsc() - began;

        if (took < empty)
            empty = took;
    }
}

/* Is family one of the words, joined by +, of `list`? */
static bool listed(const char *family, const char *list)
{
    size_t len = strlen(family);

    for (;;) {
        if (!strncmp(list, family, len) && (!list[len] || list[len] == ' ' || list[len] == '+'))
            return true;
        while (*list && *list != ' ' && *list != '+')
            list++;
        if (*list++ != '+')
            return false;
    }
}

void bench_run(const char *list)
{
    const struct bench *b;

    measure_nothing();
    for (b = benches_start; b < benches_end; b++)
        if (!strncmp(list, "all", 3) || listed(b->family, list))
            b->run();
    print("bench end\n");
}
