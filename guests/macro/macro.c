/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a stock Linux kernel's own operations cost its programs: the only program of an initrd, so that nothing else runs.
 *
 * Under QEMU's instruction counting the time stamp counter is the number of instructions executed. A row is the least of
 * many samples, which leaves out those that a timer fell into. Prints `bench macro.ROW COST` (io.ROW: see io.c, net.c) for each
 * and `bench end`, and resets the machine. The same file runs natively and as dom0 of a hypervisor; see tests/guest/bench_runs.py.
 * On the kernel's command line (which becomes the environment): row=ROW for some alone, joined by +, samples=N for so many of each.
 */

#include "macro.h"

#include "../bench_mark.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

unsigned char source[BIG], target[2 * BIG];

void need(int ok, const char *what)
{
    if (!ok) {
        printf("bench failed: %s: %m\n", what);
        reboot(RB_AUTOBOOT);
    }
}

static uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static uint64_t least(void (*op)(void), void (*before)(void), unsigned int samples)
{
    uint64_t best = UINT64_MAX, began, took;

    while (samples--) {
        if (before)
            before();
        BENCH_SAY(BENCH_SAMPLE_BEGINS);
        began = rdtsc();
        op();
        took = rdtsc() - began;
        BENCH_SAY(BENCH_SAMPLE_ENDS);
        if (took < best)
            best = took;
    }
    return best;
}

static void op_nothing(void)
{
}

/* Is it one of the words, joined by +, of `list`? */
static int listed(const char *name, const char *list)
{
    size_t length;

    for (;; list += length + 1) {
        length = strcspn(list, "+");
        if (length == strlen(name) && !memcmp(list, name, length))
            return 1;
        if (!list[length])
            return 0;
    }
}

static void measure(const char *family, const struct row *r)
{
    const char *only = getenv("row"), *samples = getenv("samples");
    uint64_t nothing = least(op_nothing, NULL, 200), cost;

    BENCH_SAY(BENCH_FORGET);
    for (; r && r->name; r++) {
        if (only && !listed(r->name, only))
            continue;
        cost = least(r->op, r->before, samples ? (unsigned int)atoi(samples) : r->samples);
        BENCH_SAY(BENCH_ROW_ENDS);
        printf("bench %s.%s %lu\n", family, r->name, cost - nothing);
    }
}

static void set_up(void)
{
    int console;
    size_t i;

    mkdir("/dev", 0755);
    need(mount("dev", "/dev", "devtmpfs", 0, NULL) == 0, "devtmpfs");
    need((console = open("/dev/console", O_RDWR)) >= 0, "/dev/console");
    dup2(console, 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (i = 0; i < BIG; i++)
        source[i] = "etaoin shrdlu"[(i * i / 7 + i / 31 * 5) % 13];
}

/* A guest's disk and network. own: its address, NULL: no network. */
static void devices(const char *own)
{
    load_drivers();
    if (own)
        bring_up(own);
    if (getenv("answer"))
        answer();
    measure("io", io_rows());
    if (own)
        measure("io", net_rows());
}

int main(int count, char **arguments)
{
    const char *own = getenv("addr");
    const struct row *(*const parts[])(void) = { kernel_rows, compute_rows, disk_rows, several_rows };
    size_t i;

    if (count > 1 && !strcmp(arguments[1], "exit"))
        return 0;
    if (count > 2 && !strcmp(arguments[1], "compile"))
        return compile(arguments[2]);
    if (count > 1 && !strcmp(arguments[1], "answer"))
        answer();
    set_up();
    if (getenv("iodisk") || own)
        devices(own);
    else
        for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
            measure("macro", parts[i]());
    printf("bench end\n");
    reboot(RB_AUTOBOOT);
    return 1;
}
