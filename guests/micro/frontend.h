/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One device of a guest: where it stands in xenstore, the pages that its backend is given, the port that it
 * is told of. The tests say what is in the ring; nothing here keeps them from saying nonsense.
 */
#ifndef MICRO_FRONTEND_H
#define MICRO_FRONTEND_H

#include "event.h"
#include "grant.h"

#include <xen/io/xenbus.h>

struct frontend {
    char path[32];                      /* device/KIND/NUMBER */
    char backend[96];
    domid_t dom;                        /* whose backend it is */
    evtchn_port_t port;
};

/* Waits for a device (vbd or vif) and for its backend to be ready, anew if it was used before; makes its port. */
bool frontend_open(struct frontend *f, const char *kind, unsigned int number);

/* Writes one node of the frontend. */
bool frontend_say(const struct frontend *f, const char *node, long value);

/* Gives the backend a page by the next free grant reference, which it returns; flags: GTF_readonly or 0. */
grant_ref_t frontend_share(const struct frontend *f, const void *page, unsigned int flags);

/* Waits for the backend to reach a state. */
bool frontend_backend_is(const struct frontend *f, enum xenbus_state state);

/* Waits until *index, which the backend moves on, has reached `want`; ms: how long. */
bool frontend_wait(const volatile uint32_t *index, uint32_t want, unsigned int ms);

/* A reference that grants nothing. */
#define NO_GRANT 500u

#endif
