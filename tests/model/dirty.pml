/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log of a page's writes, the shadow of the entry that maps it, and what TLBs remember of that: core/dirty.c,
 * core/dirty_switch.c (take_snapshot) and core/shadow.c. What a tool copied when it read the log for the last time, the guest
 * being paused, is what the page has.
 *
 * Bound: one page, two CPUs that write to it WRITES times each, another domain that writes to it once by a grant; the tool
 * reads the log ROUNDS times while the guest runs, and once more.
 * BUGS: NO_FLUSH SHADOW_STAYS NOT_LOGGED MARK_FIRST COPY_FIRST LATE_FLUSH
 */
#define CPUS 2
#define WRITES 2
#define ROUNDS 2

bool writable;          /* the shadow entry lets writes through */
bool tlb[CPUS];         /* remembers that it does */
bool log, snapshot;     /* the page's bit in each */
byte page, copied;      /* how often it was written: what it has, and what the tool has of it */
bool paused, running[CPUS];
bool dirty_lock;
byte done;

inline take() { atomic { !dirty_lock -> dirty_lock = true } }
inline give() { dirty_lock = false }

proctype cpu(byte me)
{
    byte writes;

    do
    :: writes < WRITES ->
        atomic { !paused -> running[me] = true };
        if
        :: atomic { tlb[me] -> page++; writes++ }
        :: atomic { !tlb[me] && writable -> tlb[me] = true }
        :: atomic { !tlb[me] && !writable -> skip }; /* faults */
           take();
#ifndef BUG_NOT_LOGGED
           log = true;
#endif
           writable = true;
           give()
        fi;
        running[me] = false
    :: else -> break
    od;
    done++
}

/* A grant copy, which needs no translation of the guest's. */
proctype neighbour()
{
#ifndef BUG_MARK_FIRST
    page++;
#endif
    take();
    log = true;
    give();
#ifdef BUG_MARK_FIRST
    page++;
#endif
    done++
}

inline copy()
{
    if
    :: snapshot -> copied = page; snapshot = false
    :: else
    fi
}

inline read_log()
{
    paused = true;
    !running[0] && !running[1];
    take();
#ifdef BUG_COPY_FIRST
    give();
    paused = false;
    snapshot = log;
    copy();
    paused = true;
    take();
    log = false;
#else
    snapshot = log; log = false;
#endif
#ifdef BUG_LATE_FLUSH
    give();
    paused = false;
    copy();
    take();
#endif
#ifndef BUG_SHADOW_STAYS
    writable = false;
#endif
#ifndef BUG_NO_FLUSH
    tlb[0] = false; tlb[1] = false;
#endif
    give();
    paused = false;
    copy()
}

proctype tool()
{
    byte round;

    do
    :: round < ROUNDS -> read_log(); round++
    :: else -> break
    od;
    /* The guest stays paused from here on: it has written all that it will. */
    done == CPUS + 1;
    read_log();
    assert(copied == page)
}

init { atomic { run cpu(0); run cpu(1); run neighbour(); run tool() } }
