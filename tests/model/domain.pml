/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who keeps a domain: core/domain.c (domain_get, domain_put, domain_free, domain_frame_added, domain_frame_gone), the end of one
 * in core/domain_kill.c, and a frame given to it in core/reservation.c. Nobody looks at a domain that is freed, it is freed
 * once, with no frame left, and when all have ended it is freed, if it was killed.
 *
 * Bound: one domain with one frame, room for another; two tools that kill it, one that gives it a frame, and a neighbour who
 * maps one of its frames, and keeps that past its end.
 * BUGS: GET_DEAD LOOK_UNLOCKED LISTED_LONGER NO_DOMCTL COUNT_UNLOCKED FRAMES_HOLD_NOTHING ADD_UNLOCKED
 */
#define FRAMES 2

byte refs = 2;                  /* the list's, and one for all frames */
bool listed = true, freed;
bool dying, dead;
byte total = 1;                 /* frames that are the domain's */
byte frame_refs[FRAMES];
bool on_list[FRAMES];           /* its allocation's reference is still there */
bool killed;
bool domctl, d_lock;            /* locks */

#define ALIVE assert(!freed)

inline take(l) { atomic { !l -> l = true } }
inline give(l) { l = false }

inline domain_put()
{
    atomic { ALIVE; assert(refs > 0); refs--; last = refs == 0 };
    if
    :: last ->
#ifdef BUG_LISTED_LONGER
       freed = true; listed = false
#else
       listed = false; /* under the list's lock */
       assert(total == 0 && !freed);
       freed = true
#endif
    :: else
    fi;
    last = false
}

/* By its number. In one step, for the list's lock is held, which who frees it takes first. */
inline domain_get()
{
#ifdef BUG_LOOK_UNLOCKED
    got = listed;
    if
    :: got -> atomic { ALIVE; got = refs > 0; refs = refs + got }
    :: else
    fi
#else
    atomic {
        got = false;
        if
#ifdef BUG_GET_DEAD
        :: listed -> ALIVE; refs++; got = true
#else
        :: listed -> ALIVE; got = refs > 0; refs = refs + got
#endif
        :: else
        fi
    }
#endif
}

inline frame_gone()
{
    ALIVE; /* found by its number, without the list's lock: the frame's reference keeps it */
#ifdef BUG_COUNT_UNLOCKED
    left = total; left--; total = left;
#else
    atomic { total--; left = total };
#endif
#ifndef BUG_FRAMES_HOLD_NOTHING
    if
    :: left == 0 -> domain_put()
    :: else
    fi
#endif
}

inline frame_put(f)
{
    atomic { assert(frame_refs[f] > 0); frame_refs[f]--; left = frame_refs[f] };
    if
    :: left == 0 -> frame_gone()
    :: else
    fi
}

proctype killer()
{
    bool got, last;
    byte left, f;

    domain_get();
    if
    :: got ->
#ifndef BUG_NO_DOMCTL
        take(domctl);
#endif
        if
        :: !dead ->
            dying = true;
            f = 0;
            do
            :: f < FRAMES ->
                take(d_lock);
                if
                :: on_list[f] -> on_list[f] = false; give(d_lock); frame_put(f)
                :: else -> give(d_lock)
                fi;
                f++
            :: else -> break
            od;
            dead = true;
            killed = true;
            domain_put() /* the list's */
        :: else
        fi;
#ifndef BUG_NO_DOMCTL
        give(domctl);
#endif
        domain_put()
    :: else
    fi
}

/* Another frame. */
proctype giver()
{
    bool got, last, refused;

    domain_get();
    if
    :: got ->
#ifdef BUG_ADD_UNLOCKED
        refused = dying;
        take(d_lock);
#else
        take(d_lock);
        refused = dying;
#endif
        if
        :: !refused -> /* assigned, and on the list of frames */
            atomic {
                total++; refs = refs + (total == 1);
                frame_refs[1] = 1; on_list[1] = true
            }
        :: else
        fi;
        give(d_lock);
        domain_put()
    :: else
    fi
}

proctype neighbour()
{
    bool got, last, mapped;
    byte left, f;

    domain_get();
    if
    :: got ->
        ALIVE;
        if
        :: f = 0
        :: f = 1
        fi;
        atomic {
            mapped = frame_refs[f] > 0; frame_refs[f] = frame_refs[f] + mapped
        };
        domain_put();
        if
        :: mapped -> frame_put(f) /* whenever it is */
        :: else
        fi
    :: else
    fi
}

proctype last_look()
{
    timeout -> assert(!killed || (freed && refs == 0 && total == 0))
}

init
{
    atomic {
        frame_refs[0] = 1; on_list[0] = true;
        run killer(); run killer(); run giver(); run neighbour(); run last_look()
    }
}
