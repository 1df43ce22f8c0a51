/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A free frame that a CPU with nothing else to do clears, while another takes it from the allocator, uses it and gives it back:
 * core/alloc.c, S1 and S2. Its new owner finds it empty, and nobody else writes to it while it is his.
 *
 * Bound: one frame, LIVES owners, two CPUs that clear, each as often as they can within PASSES. A frame is two words, cleared one
 * after the other.
 * BUGS: NO_WAIT CLEAN_FIRST ANY_TIME
 */
#define LIVES  2
#define PASSES 3

bool idle = true, dirty = true, scrub; /* idle: FREE. Bits of one word: changed together in one step */
bool data[2] = true;
bool owned;

proctype cpu_that_clears()
{
    byte pass;
    bool got;

    do
    :: pass < PASSES ->
        pass++;
        atomic {
#ifdef BUG_ANY_TIME
            got = dirty && !scrub;
#else
            got = idle && dirty && !scrub;
#endif
            if
            :: got -> scrub = true
            :: else
            fi
        }
        if
        :: got ->
#ifdef BUG_CLEAN_FIRST
            atomic { dirty = false; scrub = false }
#endif
            assert(!owned);
            data[0] = false;
            assert(!owned);
            data[1] = false;
#ifndef BUG_CLEAN_FIRST
            atomic { dirty = false; scrub = false }
#endif
        :: else
        fi
    :: else -> break
    od
}

proctype owners()
{
    byte life;
    bool was_dirty;

    do
    :: life < LIVES ->
        life++;
        idle = false;
#ifndef BUG_NO_WAIT
        !scrub;
#endif
        was_dirty = dirty;
        owned = true;
        if
        :: was_dirty -> data[0] = false; data[1] = false
        :: else
        fi;
        dirty = false;
        assert(!data[0] && !data[1]);
        data[0] = true; /* the owner's */
        data[1] = true;
        assert(data[0] && data[1]);
        owned = false;
        atomic { idle = true; dirty = true }
    :: else -> break
    od
}

init
{
    run owners();
    run cpu_that_clears();
    run cpu_that_clears()
}
