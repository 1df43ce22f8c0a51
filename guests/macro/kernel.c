/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls, processes and memory: what the kernel does for a program that computes nothing. */

#include "macro.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *pages;                     /* 64 of them, anonymous */
static int file, there[2], back[2];     /* a file of BIG bytes; pipes to and from the partner */

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

void op_fork_exec(void)
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

pid_t begin_partner(void)
{
    pid_t partner;
    char byte;

    need(pipe(there) == 0 && pipe(back) == 0, "pipe");
    need((partner = fork()) >= 0, "fork");
    if (partner == 0)
        while (read(there[0], &byte, 1) == 1)
            need(write(back[1], &byte, 1) == 1, "write to a pipe");
    return partner;
}

/* Two switches of address space. */
void op_ping_pong(void)
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

void touch_16(void)
{
    touch(pages, 16);
}

void op_mprotect_16(void)
{
    mprotect(pages, 16 * PAGE, PROT_READ);
    mprotect(pages, 16 * PAGE, PROT_READ | PROT_WRITE);
}

/* ---- */

static const struct row rows[] = {
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
    { 0 }
};

const struct row *kernel_rows(void)
{
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    pages = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(pages != MAP_FAILED, "mmap");
    need((file = open("/file", O_RDWR | O_CREAT, 0600)) >= 0 && write(file, source, BIG) == (ssize_t)BIG, "/file");
    signal(SIGUSR1, on_signal);
    begin_partner();
    return rows;
}
