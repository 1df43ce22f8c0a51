/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hostile families (hostile_CLASS.c): attacks by a guest, one case for each attack and variant, from tables.
 *
 *   verdict("attack", "variant", result, want)   ends one case: prints `case CLASS.ATTACK.VARIANT RESULT
 *                                                passed`
 *                                                (or `failed`) and sees that all still works
 * A result is what a hypercall gave, or TRAP(vector) when an instruction or frame ended in a trap.
 *
 * They run only when the command line names them: only=hostile is all of them.
 */
#ifndef MICRO_HOSTILE_H
#define MICRO_HOSTILE_H

#include "event.h"
#include "mm.h"
#include "trap.h"

#define TRAP(vector) (0x10000L + (vector))      /* a result: the attack ended in this trap */

/* What may be wanted beside one number. */
#define REFUSED 0x20000L                        /* an error of the ABI, whichever */
#define FAULT   0x20001L                        /* any trap */
#define NO_GAIN 0x20002L                        /* refused, a trap, or done without effect: nothing is broken */

void verdict(const char *attack, const char *variant, long result, long want);

/* The result of the last TRY. */
static inline long try_result(void)
{
    return trap_seen.count ? TRAP(trap_vector()) : 0;
}

/*
 * Rivals: the other vCPUs. They sleep until a bell rings, count it, which verdict() wants to see, and take part in
 * races. A trap of a rival takes it back to its beginning.
 */
#define MAX_RIVALS 3

unsigned int max_vcpus(void);
void rivals_start(void);                        /* once; also done by the first verdict() */
bool rivals_live(void);                         /* each answers its bell */
/* Every rival calls job(rival, round) again and again, until race_end() has seen each of them stop. */
void race_begin(void (*job)(unsigned int rival, unsigned int round));
void race_end(void);
/*
 * race_begin(theirs), then mine(round) for `rounds`, then race_end(); other vCPUs get their turn on one CPU too.
 */
void race(void (*mine)(unsigned int round), void (*theirs)(unsigned int rival, unsigned int round),
          unsigned int rounds);
void yield(void);

/* One breakpoint of this vCPU's: where eight bytes are read or written, or where an instruction is executed. */
#define BREAK_READ_WRITE 0xb0001UL
#define BREAK_EXECUTE    0x1UL
void break_on(const void *address, uint64_t dr7);
void breaks_off(void);

/* Of the whole machine; dom0 alone may ask. */
uint64_t machine_free_pages(void);
/* Runs a domU to its end once: what dom0 keeps of it (page tables of the window, ports) later ones use again. */
void first_child(void);
/* Waits for so many free pages; false when some stay away. */
bool memory_returns(uint64_t free_before);
/* Ends the domain and waits for its memory; false when some stays away. */
bool destroy_without_leak(uint16_t dom, uint64_t free_before);

/* A machine frame of somebody else, whose M2P entry is valid where one can be found. */
uint64_t foreign_frame(void);

#endif
