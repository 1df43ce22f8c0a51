/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame's type, the entry that maps it writable, and what TLBs remember: core/frame.c (type_get, become, flush_old_use,
 * type_put) and core/pt.c (pt_set). No CPU can write to the frame while it is in use as a page table.
 *
 * Bound: 2 CPUs, one frame, one entry; each CPU makes STEPS of: touch, map, unmap, use as a table, flush its own TLB.
 * BUGS: NO_FLUSH STAMP_EARLY STAMP_RACE PUT_UNSEEN LATE_FLUSH PUT_BEFORE_CLEAR NO_BUSY
 */
#define CPUS 2
#define STEPS 4

mtype = { NONE, WRITABLE, TABLE };

mtype type = NONE;
byte count;             /* uses of the type */
bool unstamped;         /* the last of them is about to go */
bool busy;              /* one CPU changes the type */
bool valid;
bool entry;             /* maps the frame, writable */
bool tlb[CPUS];         /* has a translation that can write to it */
byte clock = 1, flushed[CPUS], stamp;

#define INVARIANT !(type == TABLE && valid && count > 0 && (tlb[0] || tlb[1] || entry))

inline flush(c)
{
    atomic { tlb[c] = false; flushed[c] = clock; clock++ }
}

/* Every CPU that has had no flush since the last use of the old type went. */
inline flush_old_use()
{
#ifdef BUG_NO_FLUSH
    skip
#else
    i = 0;
    do
    :: i < CPUS ->
        if
        :: flushed[i] < stamp -> flush(i)
        :: else
        fi;
        i++
    :: else -> break
    od
#endif
}

/* got: whether the frame is used as `want` now. */
inline type_get(want)
{
    got = false;
    do
    :: atomic {
        type == want && valid && !busy -> count++; unstamped = false; got = true
       };
       break
    :: atomic { !(type == want && valid) && (busy || count > 0) -> skip }; break
    :: atomic {
        !(type == want && valid) && !busy && count == 0 ->
#ifndef BUG_NO_BUSY
            busy = true; valid = false;
#endif
            old = type
       };
#ifdef BUG_LATE_FLUSH
       atomic { type = want; valid = true; count = 1; busy = false };
       flush_old_use();
#else
       if
       :: old != want && old != NONE -> flush_old_use()
       :: else
       fi;
       atomic { type = want; valid = true; count = 1; busy = false };
#endif
       got = true;
       break
    od;
    i = 0; old = NONE
}

/* put_last(), of who has seen count 1. gone: nobody used the frame since the clock was read. */
inline put_last()
{
    unstamped = true;
#ifndef BUG_STAMP_EARLY
    now = clock;
    stamp = now;
#endif
#ifdef BUG_STAMP_RACE
    atomic { count--; unstamped = false; gone = true }
#else
    atomic { gone = count == 1 && unstamped; count = count - gone; unstamped = unstamped && !gone }
#endif
}

inline type_put()
{
    gone = false;
    do
    :: gone -> break
    :: !gone && count == 1 && type == WRITABLE -> put_last()
    :: atomic {
        !gone && !(count == 1 && type == WRITABLE) -> count--; gone = true;
#ifndef BUG_PUT_UNSEEN
        unstamped = false
#endif
       }
    od;
    gone = false; now = 0
}

proctype cpu(byte me)
{
    byte step, i, now;
    bool got, was, gone;
    mtype old = NONE;

    do
    :: step < STEPS ->
        step++;
        if
        :: atomic { entry -> tlb[me] = true } /* the guest touches it */
        :: type_get(WRITABLE); /* map */
           if
           :: got -> atomic { was = entry; entry = true };
              if
              :: was -> type_put()
              :: else
              fi
           :: else
           fi
        :: /* unmap */
#ifdef BUG_STAMP_EARLY
           stamp = clock;
#endif
#ifdef BUG_PUT_BEFORE_CLEAR
           if
           :: entry -> type_put(); entry = false
           :: else
           fi
#else
           atomic { was = entry; entry = false };
           if
           :: was -> type_put()
           :: else
           fi
#endif
        :: type_get(TABLE); /* and no longer */
           if
           :: got -> count--
           :: else
           fi
        :: flush(me)
        fi;
        got = false; was = false
    :: else -> break
    od
}

active proctype invariant() { assert(INVARIANT) }

init { atomic { run cpu(0); run cpu(1) } }
