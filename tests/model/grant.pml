/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A grant between the guest that gives it, and takes it back when nobody has it in use, and two vCPUs of the one that maps it:
 * core/grant_entry.c (pin, unpin) and core/grant_map.c (map, unmap, the mapper's end). When the giver has been told that the
 * grant is over, nobody can touch its page; references are given back exactly once.
 *
 * Bound: one entry of either version (-DV2), one handle at a time, two vCPUs with STEPS maps or unmaps each, then their end.
 * VARIANTS: V2
 * BUGS: UNPIN_BEFORE_FLUSH BLIND_MARK NO_BUSY_HANDLE
 */
#define STEPS 2

bool permit = true, mark;  /* the shared entry */
byte pins, refs;           /* the granter's account; references on the frame */
mtype = { FREE, MAKING, LIVE, BUSY };
mtype handle = FREE;       /* the mapping */
byte entries;              /* of page tables that map it */
bool tlb;                  /* some CPU of the mapper may still touch it */
bool granter_lock, mapper_lock;
bool over;                 /* the giver uses the page for other things */
byte done;

#define INVARIANT !(over && (entries > 0 || tlb))

inline take(l) { atomic { !l -> l = true } }

/* got: pinned. */
inline pin()
{
    got = false;
    take(granter_lock);
#ifdef V2
    if
    :: permit -> mark = true;
#ifdef BUG_BLIND_MARK
       got = true
#else
       if /* look again: the giver clears first and looks at the mark then */
       :: permit -> got = true
       :: else ->
          if
          :: pins == 0 -> mark = false
          :: else
          fi
       fi
#endif
    :: else
    fi;
#else
#ifdef BUG_BLIND_MARK
    if
    :: permit -> mark = true; got = true
    :: else
    fi;
#else
    if
    :: atomic { permit -> mark = true; got = true }
    :: !permit
    fi;
#endif
#endif
    if
    :: got -> pins++
    :: else
    fi;
    granter_lock = false
}

inline unpin()
{
    take(granter_lock);
    assert(pins > 0);
    pins--;
    if
    :: pins == 0 -> mark = false
    :: else
    fi;
    granter_lock = false
}

/* The handle is ours if nobody is at work on it. */
inline begin_unmap()
{
    got = false;
    take(mapper_lock);
    if
#ifdef BUG_NO_BUSY_HANDLE
    :: handle == LIVE -> got = true
#else
    :: handle == LIVE -> got = true; handle = BUSY
#endif
    :: else
    fi;
    mapper_lock = false
}

inline finish_unmap()
{
#ifdef BUG_UNPIN_BEFORE_FLUSH
    unpin();
    tlb = false;
#else
    tlb = false;
    unpin();
#endif
    assert(refs > 0);
    refs--;
    take(mapper_lock);
    handle = FREE;
    mapper_lock = false
}

proctype vcpu()
{
    byte step;
    bool got, mine;

    do
    :: step < STEPS ->
        step++;
        if
        :: take(mapper_lock);
           mine = (handle == FREE);
           if
           :: mine -> handle = MAKING
           :: else
           fi;
           mapper_lock = false;
           if
           :: mine ->
              pin();
              if
              :: got -> refs++; entries++; handle = LIVE
              :: else -> handle = FREE
              fi
           :: else
           fi
        :: begin_unmap();
           if
           :: got ->
              if
              :: atomic { entries > 0 -> entries--; tlb = true } /* it may have been touched until now */
              :: entries == 0
              fi;
              finish_unmap()
           :: else
           fi
        fi
    :: else -> break
    od;
    done++
}

/* None of its vCPUs runs any more. */
proctype mapper_ends()
{
    bool got;

    done == 2;
    begin_unmap();
    if
    :: got -> atomic { entries = 0; tlb = true }; finish_unmap()
    :: else
    fi;
    assert(refs == 0 && pins == 0 && !mark && handle == FREE)
}

proctype giver()
{
#ifdef V2
    permit = false;
    if
    :: !mark -> over = true
    :: mark /* in use: not now */
    fi
#else
    if
    :: atomic { !mark -> permit = false; over = true } /* one compare-and-swap */
    :: mark
    fi
#endif
}

active proctype invariant() { assert(INVARIANT) }

init { atomic { run vcpu(); run vcpu(); run mapper_ends(); run giver() } }
