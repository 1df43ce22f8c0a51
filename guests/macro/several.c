/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of several CPUs that have to do with each other; there are none on one. */

#define _GNU_SOURCE
#include "macro.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

static long cpus;

static void stay_on(pid_t who, int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    need(sched_setaffinity(who, sizeof(set), &set) == 0, "sched_setaffinity");
}

/* Twenty programs, so many at a time as there are CPUs. */
static void op_abreast(void)
{
    long i, k;

    for (i = 0; i < cpus; i++)
        if (fork() == 0) {
            stay_on(0, (int)i);
            for (k = i; k < 20; k += cpus)
                op_fork_exec();
            _exit(0);
        }
    while (i-- > 0)
        need(wait(NULL) > 0, "wait");
}

static volatile int spinning;

static void *spin(void *cpu)
{
    stay_on(0, (int)(long)cpu);
    __atomic_add_fetch(&spinning, 1, __ATOMIC_SEQ_CST);
    while (spinning)
        __builtin_ia32_pause();
    return NULL;
}

/* Every other CPU runs this address space from here on, so that each must hear of what is taken away from it. */
static void begin_spinners(void)
{
    pthread_t t;
    long i;

    for (i = 1; i < cpus; i++)
        need(pthread_create(&t, NULL, spin, (void *)i) == 0, "pthread_create");
    while (spinning != cpus - 1)
        sched_yield();
}

static void touch_among_spinners(void)
{
    if (!spinning)
        begin_spinners();
    touch_16();
}

/* ---- */

static const struct row rows[] = {
    { "twenty_processes_abreast", op_abreast, NULL, 10 },
    { "ping_pong_apart", op_ping_pong, NULL, 200 },
    { "mprotect_16_shared", op_mprotect_16, touch_among_spinners, 40 },
    { 0 }
};

const struct row *several_rows(void)
{
    cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (cpus < 2)
        return NULL;
    stay_on(begin_partner(), 1);
    stay_on(0, 0);
    return rows;
}
