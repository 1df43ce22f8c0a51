/* SPDX-License-Identifier: BSD-2-Clause */
/* Included before everything in the image: all symbols are its own, so none is reached through a table of addresses. */
#pragma GCC visibility push(hidden)
