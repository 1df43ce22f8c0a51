/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The three pairs of core/vcpu_run.c, each of which stores its own word and then loads the other's: blocking against an event,
 * pausing against the scheduler's choice, an event against the way into the guest. With stores that wait in a CPU's buffer,
 * as silicon's do, unless they are sequentially consistent. No wake-up is lost, and nobody who paused a vCPU finds it running.
 *
 * Bound: one vCPU, its CPU and two others: one sends ROUNDS events, one pauses it once.
 * BUGS: LOAD_FIRST BUFFERED NO_KICK
 */
#define ROUNDS 2

bool blocked, paused;      /* bits of v->pause */
bool pending;
bool running;              /* v->running_on is its CPU */
bool kicked;               /* its CPU will pass its exit path once more */
bool in_guest;             /* runs guest code */

/* A store of `word`; and the moment at which others see it at last. */
#ifdef BUG_BUFFERED
#define store(word) later = true
#define see(word) if :: later -> word = true; later = false :: else fi
#else
#define store(word) word = true
#define see(word) skip
#endif

/* The vCPU's CPU: chosen, entered, blocks; the way out looks at what came. */
proctype cpu()
{
    bool later;

end:
    do
    :: !blocked && !paused -> /* runnable */
        /* sched_pick: claim() */
#ifdef BUG_LOAD_FIRST
        if
        :: paused -> goto off
        :: else
        fi;
        running = true;
#else
        store(running);
        if
        :: paused -> see(running); goto off
        :: else
        fi;
#endif
        /* ready(): what is pending is delivered on the way in, and a kick brings it back here */
in:     kicked = false;
        if
        :: paused -> goto off
        :: else
        fi;
        if
        :: pending -> pending = false
        :: else
        fi;
        in_guest = true;
        see(running);
        if
        :: kicked -> in_guest = false; goto in
        :: true -> in_guest = false
        :: true -> /* computes, for ever */
endless:   kicked -> in_guest = false; goto in
        fi;
        /* SCHEDOP_block */
#ifdef BUG_LOAD_FIRST
        if
        :: pending
        :: else -> blocked = true
        fi;
#else
        store(blocked);
        if
        :: pending -> see(blocked); blocked = false
        :: else -> see(blocked)
        fi;
#endif
off:    see(running);
        running = false
    od
}

/* port_raise, vcpu_notify, vcpu_kick. */
proctype sender()
{
    byte round;
    bool later;

    do
    :: round < ROUNDS ->
        round++;
        store(pending);
        if
        :: blocked -> see(pending); blocked = false
        :: else ->
           see(pending);
#ifndef BUG_NO_KICK
           if
           :: running -> kicked = true
           :: else
           fi
#endif
        fi
    :: else -> break
    od
}

/* vcpu_hold, vcpu_release. */
proctype pauser()
{
    bool later;

    store(paused);
    if
    :: running -> see(paused); kicked = true; !running
    :: else -> see(paused)
    fi;
    assert(!in_guest); /* at any time from here on, as the checker may stay here */
    paused = false
}

/* Nothing more happens: it may wait or compute, but not while there is what it has not been told. */
active proctype lost() { timeout -> assert(!pending) }

init { atomic { run cpu(); run sender(); run pauser() } }
