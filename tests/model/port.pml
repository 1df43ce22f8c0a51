/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending on a port without a lock, while it is closed, bound again, and the peer's domain goes: core/port.c, and the account
 * in core/port_table.h. A sender touches no domain that is gone, and no event goes to a domain that the port was not bound to
 * while it was sent.
 *
 * Bound: one port, two domains that it may lead to, one sender with two sends, one who closes it, drops the peer's reference,
 * binds it to the other domain and closes it again.
 * BUGS: READ_BEFORE_ENTER NO_WAIT DROP_BEFORE_WAIT
 */
#define CLOSED 2

byte bind = 0;             /* the domain that it leads to */
byte users;
byte refs[2] = { 1, 1 };   /* on the two domains; 0: gone */
bool bound_since[2];       /* has it led there at a time since the send began */

#define lead_to(d) atomic { bind = d; if :: d != CLOSED -> bound_since[d] = true :: else fi }

proctype sender()
{
    byte sends, b;

    do
    :: sends < 2 ->
        sends++;
        atomic { bound_since[0] = (bind == 0); bound_since[1] = (bind == 1) };
#ifdef BUG_READ_BEFORE_ENTER
        b = bind;
        users++;
#else
        users++;
        b = bind;
#endif
        if
        :: b != CLOSED ->
            assert(refs[b] > 0);
            assert(bound_since[b])
        :: else
        fi;
        users--
    :: else -> break
    od
}

inline close(d)
{
    lead_to(CLOSED);
#ifdef BUG_DROP_BEFORE_WAIT
    refs[d]--;
    users == 0
#else
#ifndef BUG_NO_WAIT
    users == 0;
#endif
    refs[d]--
#endif
}

proctype closer()
{
    close(0);
    lead_to(1);
    close(1)
}

init { atomic { run sender(); run closer() } }
