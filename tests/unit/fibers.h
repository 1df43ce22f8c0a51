/* SPDX-License-Identifier: BSD-2-Clause */
/* Two fibers, each a CPU of the pretended machine, that take turns when told to. Included once. */
#ifndef TESTS_UNIT_FIBERS_H
#define TESTS_UNIT_FIBERS_H

#include <stdlib.h>
#include <ucontext.h>

#include "host/host.h"

/* The address sanitizer wants to know of each change of stacks. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#define stack_left    __sanitizer_start_switch_fiber
#define stack_arrived __sanitizer_finish_switch_fiber
#else
static void stack_left(void **fake, const void *bottom, size_t size) { (void)fake; }
static void stack_arrived(void *fake, const void **bottom, size_t *size) { *bottom = NULL, *size = 0; }
#endif

enum { FIBERS = 2, MAIN = FIBERS, FIBER_STACK = 1 << 18 };

static struct fiber {
    ucontext_t at;
    char *stack;       /* NULL: the process's own */
    size_t size;
    const void *bottom;
    void (*run)(void); /* NULL: it has ended */
} fibers[FIBERS + 1];

static unsigned fiber_now = MAIN; /* the number of a fiber is that of its CPU */

/* After a switch: whose stack this is; where the last one's is, if it is the process's. */
static void fiber_arrived(void *fake, unsigned from)
{
    const void *bottom;
    size_t size;

    stack_arrived(fake, &bottom, &size);
    if (from == MAIN)
        fibers[MAIN].bottom = bottom, fibers[MAIN].size = size;
}

static unsigned fiber_from;

static void fiber_switch(unsigned to)
{
    unsigned from = fiber_now;
    void *fake = NULL;

    fiber_from = from;
    fiber_now = to;
    if (to != MAIN)
        host_cpu = to;
    stack_left(&fake, fibers[to].bottom, fibers[to].size);
    swapcontext(&fibers[from].at, &fibers[to].at);
    fiber_arrived(fake, fiber_from);
}

static void fiber_main(void)
{
    fiber_arrived(NULL, fiber_from);
    fibers[fiber_now].run();
    fibers[fiber_now].run = NULL;
    fiber_from = fiber_now;
    fiber_now = fibers[!fiber_from].run ? !fiber_from : MAIN;
    if (fiber_now != MAIN)
        host_cpu = fiber_now;
    stack_left(NULL, fibers[fiber_now].bottom, fibers[fiber_now].size);
    setcontext(&fibers[fiber_now].at);
    abort();
}

static void fiber_make(struct fiber *f, void (*run)(void))
{
    if (!f->stack)
        f->stack = malloc(FIBER_STACK);
    f->bottom = f->stack;
    f->size = FIBER_STACK;
    f->run = run;
    getcontext(&f->at);
    f->at.uc_stack.ss_sp = f->stack;
    f->at.uc_stack.ss_size = FIBER_STACK;
    f->at.uc_link = NULL;
    makecontext(&f->at, fiber_main, 0);
}

/* Both run, the first first, until both have ended. */
static void fibers_run(void (*zero)(void), void (*one)(void))
{
    fiber_make(&fibers[0], zero);
    fiber_make(&fibers[1], one);
    fiber_switch(0);
}

/* The other goes on, if it has not ended. */
static void fiber_yield(void)
{
    if (fiber_now != MAIN && fibers[!fiber_now].run)
        fiber_switch(!fiber_now);
}

static bool fiber_alone(void) { return !fibers[!fiber_now].run; }

#endif
