/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Xenstore as a guest asks it: one request at a time over the ring that its builder made
 * (<xen/io/xs_wire.h>), its reply waited for. Paths without a leading slash are this domain's own.
 */
#ifndef MICRO_XENSTORE_H
#define MICRO_XENSTORE_H

#include "micro.h"

/* Reads a node as a string of at most room - 1 characters; false: xenstored says no. */
bool store_read(const char *path, char *value, size_t room);
bool store_write(const char *path, const char *value);

/* The node as a decimal number; -1: there is none. */
long store_number(const char *path);

#endif
