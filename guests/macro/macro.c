/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a stock Linux kernel's own operations cost its programs: the only program of an initrd, so that nothing else runs.
 *
 * Under QEMU's instruction counting the time stamp counter is the number of instructions executed. A row is the least of
 * many samples, which leaves out those that a timer fell into. Prints `bench macro.ROW COST` for each and `bench end`,
 * and resets the machine. The same file runs natively and as dom0 of a hypervisor; see tests/guest/bench_macro.py.
 * On the kernel's command line (which becomes the environment): row=ROW for one alone, samples=N for that many of it.
 */

#define _GNU_SOURCE
#include "../bench_mark.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define PAGE 4096UL
#define BIG (256 * 1024UL)

static unsigned char source[BIG], target[2 * BIG];
static char *pages;                     /* 64 of them, anonymous */
static int file, there[2], back[2];     /* a file of BIG bytes; pipes to and from the partner */

static void need(int ok, const char *what)
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

static void op_nothing(void)
{
}

/* ---- System calls ---- */

static void op_getpid(void)
{
    syscall(SYS_getpid);
}

static void op_read_64k(void)
{
    need(pread(file, target, 65536, 0) == 65536, "pread");
}

static void op_write_64k(void)
{
    need(pwrite(file, source, 65536, 0) == 65536, "pwrite");
}

static void op_stat(void)
{
    struct stat s;

    need(stat("/init", &s) == 0, "stat");
}

static void op_open_close(void)
{
    close(open("/init", O_RDONLY));
}

static void on_signal(int number)
{
    (void)number;
}

static void op_signal(void)
{
    kill(getpid(), SIGUSR1);
}

/* ---- Processes and threads ---- */

static void op_fork_exit(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    need(child > 0 && waitpid(child, NULL, 0) == child, "fork");
}

static void op_fork_exec(void)
{
    pid_t child = fork();

    if (child == 0) {
        execl("/init", "/init", "exit", NULL);
        _exit(1);
    }
    need(child > 0 && waitpid(child, NULL, 0) == child, "fork");
}

static void op_twenty_processes(void)
{
    int i;

    for (i = 0; i < 20; i++)
        op_fork_exec();
}

static void *thread(void *argument)
{
    return argument;
}

static void op_thread(void)
{
    pthread_t t;

    need(pthread_create(&t, NULL, thread, NULL) == 0, "pthread_create");
    pthread_join(t, NULL);
}

static void begin_partner(void)
{
    char byte;

    need(pipe(there) == 0 && pipe(back) == 0, "pipe");
    if (fork() == 0)
        while (read(there[0], &byte, 1) == 1)
            need(write(back[1], &byte, 1) == 1, "write to a pipe");
}

/* Two switches of address space. */
static void op_ping_pong(void)
{
    char byte = 0;

    need(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "ping-pong");
}

/* ---- Memory ---- */

static void forget_pages(void)
{
    madvise(pages, 64 * PAGE, MADV_DONTNEED);
    *(volatile char *)(pages + 63 * PAGE) = 1;     /* the page table stays */
}

static void op_page_fault(void)
{
    *(volatile char *)pages = 1;
}

static void touch(char *from, unsigned int count)
{
    unsigned int i;

    for (i = 0; i < count; i++)
        *(volatile char *)(from + i * PAGE) = 1;
}

static void op_mmap_64(void)
{
    char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    need(p != MAP_FAILED, "mmap");
    touch(p, 64);
    munmap(p, 64 * PAGE);
}

static void touch_16(void)
{
    touch(pages, 16);
}

static void op_mprotect_16(void)
{
    mprotect(pages, 16 * PAGE, PROT_READ);
    mprotect(pages, 16 * PAGE, PROT_READ | PROT_WRITE);
}

/* ---- Computing ---- */

static void op_integers(void)
{
    uint64_t x = 1;
    int i;

    for (i = 0; i < 300000; i++)
        x = x * 6364136223846793005UL + 1442695040888963407UL;
    __asm__ volatile("" : : "r"(x));
}

static void op_hash(void)
{
    uint64_t h = crc32(adler32(1, source, BIG), source, BIG);

    __asm__ volatile("" : : "r"(h));
}

static void op_copy(void)
{
    int i;

    for (i = 0; i < 16; i++) {
        memcpy(target, source, BIG);
        __asm__ volatile("" : : : "memory");
    }
}

static void op_compress(void)
{
    uLongf size = sizeof(target);

    need(compress2(target, &size, source, BIG, 6) == Z_OK && size < BIG, "compress");
}

/* ---- */

static const struct row {
    const char *name;
    void (*op)(void), (*before)(void);
    unsigned int samples;
} rows[] = {
    { "getpid", op_getpid, NULL, 200 },
    { "stat", op_stat, NULL, 200 },
    { "open_close", op_open_close, NULL, 200 },
    { "read_64k", op_read_64k, NULL, 100 },
    { "write_64k", op_write_64k, NULL, 100 },
    { "signal", op_signal, NULL, 200 },
    { "ping_pong", op_ping_pong, NULL, 200 },
    { "fork_exit", op_fork_exit, NULL, 60 },
    { "fork_exec", op_fork_exec, NULL, 60 },
    { "twenty_processes", op_twenty_processes, NULL, 10 },
    { "thread", op_thread, NULL, 100 },
    { "page_fault", op_page_fault, forget_pages, 200 },
    { "mmap_64", op_mmap_64, NULL, 60 },
    { "mprotect_16", op_mprotect_16, touch_16, 100 },
    { "integers", op_integers, NULL, 20 },
    { "hash", op_hash, NULL, 10 },
    { "copy", op_copy, NULL, 20 },
    { "compress", op_compress, NULL, 4 },
};

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

static void set_up(void)
{
    size_t i;

    mkdir("/dev", 0755);
    need(mount("dev", "/dev", "devtmpfs", 0, NULL) == 0, "devtmpfs");
    need((file = open("/dev/console", O_RDWR)) >= 0, "/dev/console");
    dup2(file, 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (i = 0; i < BIG; i++)           /* as compressible as text */
        source[i] = "etaoin shrdlu"[(i * i / 7 + i / 31 * 5) % 13];
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    pages = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(pages != MAP_FAILED, "mmap");
    need((file = open("/file", O_RDWR | O_CREAT, 0600)) >= 0 && write(file, source, BIG) == (ssize_t)BIG, "/file");
    signal(SIGUSR1, on_signal);
    begin_partner();
}

int main(int count, char **arguments)
{
    const char *only, *samples;
    uint64_t nothing;
    size_t i;

    if (count > 1 && !strcmp(arguments[1], "exit"))
        return 0;
    only = getenv("row");
    samples = getenv("samples");
    set_up();
    nothing = least(op_nothing, NULL, 200);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!only || !strcmp(only, rows[i].name))
            printf("bench macro.%s %lu\n", rows[i].name,
                   least(rows[i].op, rows[i].before, samples ? (unsigned int)atoi(samples) : rows[i].samples) - nothing);
    printf("bench end\n");
    reboot(RB_AUTOBOOT);
    return 1;
}
