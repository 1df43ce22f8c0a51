/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queues of FIFO event channels between two CPUs that raise events, and a guest that consumes them and binds a port to
 * another vCPU meanwhile: core/fifo.c (raise_fifo, unmask_fifo, link_port, take_queue, append). The guest is a right one, as
 * <xen/event_channel.h> and stock kernels have it. No event is lost: when nothing more happens none is pending. A port is in one
 * queue at most, and the guest never comes to one that it consumed and that may be in another by now.
 *
 * Bound: two ports, two vCPUs with one queue each; one CPU raises two events on ports of its choice, the other one; a port is
 * bound to the other vCPU once, and masked and unmasked once.
 * BUGS: READY_FIRST LINK_STAYS NO_TAIL_RESET NO_LOOK_AGAIN ALWAYS_HEAD NEVER_HEAD PENDING_LATE
 */
#define QUEUES 2
#define NONE   255

/* Ports are 1 and 2; [0] is not used. */
bool pending[3], masked[3], linked[3];
byte next[3];                       /* the LINK field */
byte vcpu[3];                       /* where events of the port go: 0 or 1 */
byte queue[3] = NONE;               /* where it was linked last */
byte tail[QUEUES], head[QUEUES];    /* ours; the control block's */
bool ready[QUEUES], told[QUEUES];
bool busy[QUEUES];                  /* spin bits */
byte in_queue[3] = NONE;            /* for the model's sake: where a port is whose LINKED is set */

inline take(q) { atomic { !busy[q] -> busy[q] = true } }
inline give(q) { busy[q] = false }

/* append(), and the spin bit is given. */
inline append(q)
{
    old = tail[q];
    tail[q] = p;
    fresh = true;
    if
    :: old != 0 && old != p ->
        atomic { fresh = !linked[old]; next[old] = next[old] | p };
#ifdef BUG_ALWAYS_HEAD
        fresh = true;
#endif
#ifdef BUG_NEVER_HEAD
        fresh = false;
#endif
        if
#ifndef BUG_LINK_STAYS
        :: fresh -> next[old] = 0
#endif
        :: else
        fi
    :: else
    fi;
    if
    :: fresh ->
#ifdef BUG_READY_FIRST
        atomic { was = ready[q]; ready[q] = true };
        told[q] = told[q] || !was;
        head[q] = p;
#else
        head[q] = p;
        atomic { was = ready[q]; ready[q] = true };
        told[q] = told[q] || !was;
#endif
    :: else
    fi;
    give(q);
    old = 0; fresh = false; was = false
}

inline link_port()
{
    want = vcpu[p];
    do
    :: from = queue[p];
       lock = (from == NONE -> 0 : from);
       take(lock);
#ifdef BUG_NO_LOOK_AGAIN
       break
#else
       if
       :: queue[p] == from -> break
       :: else -> give(lock)
       fi
#endif
    od;
    atomic {
        was = linked[p]; linked[p] = true;
        if
        :: !was -> assert(in_queue[p] == NONE); in_queue[p] = want
        :: else
        fi
    };
    if
    :: was -> give(lock)
    :: else ->
        if
        :: from != want ->
#ifndef BUG_NO_TAIL_RESET
            if
            :: from != NONE && tail[from] == p -> tail[from] = 0
            :: else
            fi;
#endif
            queue[p] = want;
            if
            :: lock != want -> give(lock); take(want)
            :: else
            fi
        :: else
        fi;
        append(want)
    fi;
    from = 0; lock = 0; want = 0; was = false
}

inline raise()
{
#ifdef BUG_PENDING_LATE
    got = !masked[p] && !linked[p];
    pending[p] = true;
#else
    atomic { pending[p] = true; got = !masked[p] && !linked[p] };
#endif
    if
    :: got -> link_port()
    :: else
    fi;
    got = false
}

proctype sender(byte rounds)
{
    byte p, old, from, lock, want;
    bool fresh, was, got;

    do
    :: rounds > 0 ->
        rounds--;
        if
        :: p = 1
        :: p = 2
        fi;
        raise()
    :: else -> break
    od
}

/* EVTCHNOP_bind_vcpu; then the port is masked and, by EVTCHNOP_unmask, unmasked. */
proctype binder()
{
    byte p = 1, old, from, lock, want;
    bool fresh, was, got;

    vcpu[1] = 1;
    masked[1] = true;
    atomic { masked[1] = false; got = pending[1] && !linked[1] };
    if
    :: got -> link_port()
    :: else
    fi
}

/* A vCPU of the guest: what it keeps of its queue is `at`. */
proctype consumer(byte q)
{
    byte at, p;
    bool got;

end:
    do
    :: atomic { told[q] -> told[q] = false };
       got = false;
       do
       :: atomic { ready[q] || got -> got = true; ready[q] = false };
          if
          :: at == 0 -> at = head[q]
          :: else
          fi;
          p = at;
          atomic {
              assert(p != 0 && linked[p] && in_queue[p] == q);
              linked[p] = false; in_queue[p] = NONE;
              at = next[p]; next[p] = 0
          };
          if
          :: at == 0 -> got = false
          :: else
          fi;
          if
          :: atomic { pending[p] && !masked[p] -> pending[p] = false }
          :: atomic { !pending[p] || masked[p] -> skip }
          fi;
          p = 0
       :: atomic { !ready[q] && !got -> break }
       od
    od
}

proctype last_look()
{
    timeout -> assert(!pending[1] && !pending[2] && !linked[1] && !linked[2])
}

init {
    atomic {
        run sender(2); run sender(1); run binder(); run consumer(0); run consumer(1); run last_look()
    }
}
