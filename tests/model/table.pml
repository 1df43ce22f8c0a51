/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table half validated, and what becomes of it: its vCPU goes on or never comes back, others pin it, unpin it or make it a
 * writable page, and its owner dies or gives the frame back. The frame's two words, its cursor and the drain lists:
 * core/frame.c (frame_get, frame_put, queue, left_partial, finish, become, type_get, type_put, drain_one, type_drain, type_pin,
 * type_unpin, frame_release) and the loops over entries in core/pt_table.c (validate_upper, undo_entries, pt_devalidate). Each of
 * their atomic operations is a step of its own, and so is each look at another word. A table in use has the references of all
 * its entries, a writable page those of none; a frame is freed once, with none of them; and once it was released and everybody
 * has left the hypervisor it is freed.
 *
 * Bound: one frame, whose table has ENTRIES entries, any of which may be bad; a CPU with two operations,
 * another with one, and a third that releases the frame. The budget ends wherever it likes. What entries name is a flag each. TYPE_LOCKED, dirty logs and the drain
 * in the middle of type_get() are left out.
 * BUGS: PARTIAL_FORGOTTEN NO_OWN_REF TWO_OWN_REFS PIN_STAYS LOOKS_FIRST LATE_QUEUED NO_SECOND_LOOK UNQUEUED_LATE FLAG_LOST
 * BUGS: NOT_UNDONE BUSY_UNSEEN LINK_BELIEVED
 */
#define ENTRIES 2

#define COUNT    7      /* the type word */
#define VALID    8
#define PINNED   16
#define BUSY     32
#define QUEUED   64
#define TABLE    128
#define WRITABLE 256
#define UNSTAMPED 512
#define TYPE     (TABLE | WRITABLE)

mtype = { OK, INVAL, RESTART };

short word;
byte refs = 1, cursor;
bool owned = true, freed;
bool link;              /* the stamp is a link, or older than the last use */
bool listed[3];         /* on this CPU's drain list */
bool held[ENTRIES];     /* the entry has its reference */

#define UNDOABLE(w) ((w & TYPE) == TABLE && !(w & (COUNT | BUSY)))
#define IN_USE(w, t) ((w & TYPE) == t && (w & VALID) && !(w & BUSY))

/* ---- References ---- */

inline frame_get() { atomic { got = refs > 0; refs = refs + got } }

inline frame_put()
{
    atomic {
        assert(refs > 0);
        refs--;
        if
        :: refs == 0 ->
            assert(!owned && !freed && !(word & (COUNT | BUSY | QUEUED | PINNED)));
            assert(((word & TYPE) == WRITABLE || !(word & VALID)) && cursor == 0 && !held[0] && !held[1]);
            freed = true; word = 0; link = false
        :: else
        fi
    }
}

/* ---- Types ---- */

inline enlist()
{
    atomic {
        assert(refs > 0 && !listed[0] && !listed[1] && !listed[2]);
        refs++
    };
    link = true;
    listed[me] = true
}

inline queue()
{
    do
    :: atomic { (word & QUEUED) || !UNDOABLE(word) -> break }
    :: atomic { !(word & QUEUED) && UNDOABLE(word) -> x = word };
       if
       :: atomic { !(x & VALID) && cursor == 0 -> break }
       :: atomic { (x & VALID) || cursor > 0 -> skip }
       fi;
       if
       :: atomic { word == x -> word = word | QUEUED }; enlist(); break
       :: atomic { word != x -> skip }
       fi
    od;
    x = 0
}

inline left_partial()
{
#ifndef BUG_PARTIAL_FORGOTTEN
    if
    :: !owned -> queue()
    :: owned
    fi
#else
    skip
#endif
}

inline finish(w)
{
#ifdef BUG_FLAG_LOST
    word = w
#else
    do
    :: x = word;
       if
       :: !((w) & COUNT) && !(x & QUEUED) -> link = false
       :: else
       fi;
       if
       :: atomic { word == x -> word = (w) | (x & QUEUED) }; break
       :: atomic { word != x -> skip }
       fi
    od;
    x = 0
#endif
}

/* pt_devalidate: rc is OK or RESTART. */
inline undo()
{
    rc = OK;
    do
    :: cursor == 0 -> break
    :: atomic { cursor > 0 -> cursor--; assert(held[cursor]); held[cursor] = false };
       if
       :: cursor > 0 -> rc = RESTART; break
       :: true
       fi
    od
}

inline validate()
{
    rc = OK;
    do
    :: cursor == ENTRIES -> break
    :: atomic { cursor < ENTRIES -> assert(!held[cursor]); held[cursor] = true; cursor++ };
       if
       :: cursor < ENTRIES -> rc = RESTART; break
       :: true
       fi
    :: cursor < ENTRIES -> rc = RESTART; break /* the table below is partial */
    :: cursor < ENTRIES -> rc = INVAL; /* a bad entry */
#ifdef BUG_NOT_UNDONE
       cursor = 0;
#else
       do
       :: cursor == 0 -> break
       :: atomic { cursor > 0 -> cursor--; held[cursor] = false }
       od;
#endif
       break
    od
}

/* BUSY is ours, old is what the word was. */
inline become(want)
{
    own = (old & TYPE) == TABLE && ((old & VALID) || cursor > 0);
    rc = OK;
    if
    :: (old & TYPE) != want ->
        if
        :: own ->
            if
            :: old & VALID -> cursor = ENTRIES
            :: else
            fi;
            undo();
            if
            :: rc == RESTART -> finish(TABLE); left_partial()
            :: else -> frame_put(); own = false
            fi
        :: else
        fi;
        if
        :: rc == OK -> cursor = 0;
            /* flush_old_use() goes by the stamp of what was not queued */
            assert(!(old & TYPE) || (old & (QUEUED | UNSTAMPED)) || !link)
        :: else
        fi
    :: else
    fi;
    if
    :: rc == RESTART
    :: rc == OK && want == WRITABLE -> link = true; finish(WRITABLE | VALID | 1)
    :: rc == OK && want == TABLE ->
        validate();
        if
        :: rc == OK ->
            if
            :: !own -> atomic { assert(refs > 0); refs++ }
            :: else
            fi;
            finish(TABLE | VALID | 1)
        :: else ->
            if
#ifndef BUG_NO_OWN_REF
#ifdef BUG_TWO_OWN_REFS
            :: cursor > 0 -> atomic { assert(refs > 0); refs++ }
#else
            :: cursor > 0 && !own -> atomic { assert(refs > 0); refs++ }
#endif
#endif
            :: cursor == 0 && own -> frame_put()
            :: else
            fi;
            finish(TABLE);
            left_partial()
        fi
    fi;
    own = false; old = 0
}

inline type_get(want)
{
    if
    :: atomic {
        IN_USE(word, want) -> word = (word & ~UNSTAMPED) + 1; rc = OK; link = true
       }
    :: atomic { (word & BUSY) && (word & TYPE) != want -> rc = INVAL }
    :: atomic { (word & COUNT) && !(word & BUSY) && !IN_USE(word, want) -> rc = INVAL }
#ifdef BUG_BUSY_UNSEEN
    :: atomic { !(word & COUNT) && !IN_USE(word, want) -> old = word; word = want | BUSY | (old & QUEUED) };
#else
    :: atomic { !(word & (COUNT | BUSY)) && !IN_USE(word, want) -> old = word; word = want | BUSY | (old & QUEUED) };
#endif
       become(want)
    fi;
    assert(rc != OK || want != TABLE || (held[0] && held[1] && (word & VALID)));
    assert(rc != OK || want != WRITABLE || !(held[0] || held[1]))
}

inline type_put()
{
    do
    :: atomic { assert((word & COUNT) && !(word & BUSY)); x = word };
       if
       :: (x & COUNT) == 1 && (x & TYPE) == WRITABLE && !(x & QUEUED) -> /* put_last() */
          x = x & ~UNSTAMPED;
          word = word | UNSTAMPED;
          link = false;
          if
          :: atomic { word == (x | UNSTAMPED) -> word = x - 1 }; break
          :: atomic { word != (x | UNSTAMPED) -> skip }
          fi
       :: atomic {
            ((x & COUNT) > 1 || (x & TYPE) == TABLE || (x & QUEUED)) && word == x -> word = (word & ~UNSTAMPED) - 1;
#ifndef BUG_LATE_QUEUED
            if
            :: (word & COUNT) == 0 && (word & TYPE) == TABLE -> word = word | QUEUED
            :: else
            fi
#endif
          };
          if
          :: (x & COUNT) == 1 && (x & TYPE) == TABLE && !(x & QUEUED) ->
#ifdef BUG_LATE_QUEUED
            atomic { word = word | QUEUED };
#endif
            enlist()
          :: else
          fi;
          break
       :: atomic { ((x & COUNT) > 1 || (x & TYPE) == TABLE || (x & QUEUED)) && word != x -> skip }
       fi
    od;
    x = 0
}

inline type_unpin()
{
    atomic { got = (word & PINNED) != 0; word = word & ~PINNED };
    if
    :: got -> type_put(); frame_put()
    :: else
    fi
}

inline type_pin()
{
    frame_get();
    if
    :: got ->
        type_get(TABLE);
        if
        :: rc == OK ->
            atomic { got = (word & PINNED) == 0; word = word | PINNED };
            if
            :: !got -> type_put(); frame_put()
#ifndef BUG_PIN_STAYS
            :: got && !owned -> type_unpin()
            :: got && owned
#else
            :: got
#endif
            fi
        :: else -> frame_put()
        fi
    :: else
    fi
}

/* done: nothing is left to undo. */
inline drain_one()
{
    do
    :: atomic { !UNDOABLE(word) -> done = true; break }
    :: atomic { UNDOABLE(word) -> old = word };
       if
       :: atomic { !(old & VALID) && cursor == 0 -> done = true; break }
       :: atomic { (old & VALID) || cursor > 0 -> skip }
       fi;
       if
       :: atomic { word == old -> word = (word & ~VALID) | BUSY; done = false; break }
       :: atomic { word != old -> skip }
       fi
    od;
    if
    :: done
    :: else ->
        if
        :: old & VALID -> cursor = ENTRIES
        :: else
        fi;
        if
#ifndef BUG_NO_SECOND_LOOK
        :: cursor == 0 -> finish(TABLE); done = true
        :: cursor > 0 ->
#else
        :: true ->
#endif
            undo();
            finish(TABLE);
            if
            :: rc == OK -> frame_put(); done = true
            :: else
            fi
        fi
    fi;
    old = 0
}

inline unqueue()
{
    word = word & ~QUEUED;
#ifndef BUG_LINK_BELIEVED
    if
    :: !(word & COUNT) -> word = word | UNSTAMPED
    :: else
    fi
#endif
}

/* On the way out of the hypervisor, until nothing is left. */
inline type_drain()
{
    do
    :: listed[me] ->
        atomic { listed[me] = false; assert(link) };
#ifndef BUG_UNQUEUED_LATE
        atomic { assert(word & QUEUED); unqueue() };
#endif
        drain_one();
#ifdef BUG_UNQUEUED_LATE
        atomic { unqueue() };
#endif
        if
        :: done
        :: else -> queue()
        fi;
        done = false;
        frame_put()
    :: else -> break
    od
}

proctype cpu(byte me; byte steps)
{
    bool got, own, done;
    short old, x;
    mtype rc = OK;

    do
    :: steps > 0 ->
        steps--;
        if
        :: type_pin()
        :: frame_get();
           if
           :: got -> type_unpin(); frame_put()
           :: else
           fi
        :: frame_get();
           if
           :: got ->
              type_get(WRITABLE);
              if
              :: rc == OK -> type_put()
              :: else
              fi;
              frame_put()
           :: else
           fi
        fi;
        type_drain();
        got = false; rc = OK
    :: else -> break
    od
}

/* The owner's death, or its decrease_reservation. */
proctype release()
{
    byte me = 2;
    bool got, own, done;
    short old, x;
    mtype rc = OK;

#ifndef BUG_LOOKS_FIRST
    owned = false;
#endif
    if
    :: word & PINNED -> type_unpin()
    :: else
    fi;
    queue();
#ifdef BUG_LOOKS_FIRST
    owned = false;
#endif
    frame_put();
    type_drain()
}

proctype last_look()
{
    timeout -> assert(freed && refs == 0)
}

init { atomic { run cpu(0, 2); run cpu(1, 1); run release(); run last_look() } }
