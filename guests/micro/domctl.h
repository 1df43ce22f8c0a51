/* SPDX-License-Identifier: BSD-2-Clause */
/* Control operations in short, for the families that build another domain. Only dom0 may use them. */
#ifndef MICRO_DOMCTL_H
#define MICRO_DOMCTL_H

#include "micro.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>

extern struct xen_domctl dc;            /* arguments and results of the last domctl() */
extern struct xen_sysctl sc;            /* the same of sysctl() */

/* Sends dc with this command, domain and the right version; the union is the caller's. */
long domctl(uint32_t cmd, domid_t dom);
long sysctl(uint32_t cmd);
/* Zeroes dc (sc) first: for operations whose union has no input. */
void domctl_clear(void);
void sysctl_clear(void);

/* A paused PV domain with max_mem of `kib` and grant tables; gives its id or a negative errno. */
long domain_create(unsigned long kib, unsigned int vcpus);
void domain_destroy(domid_t dom);

/* Presses these debug keys of the hypervisor, up to a space or the end. Gives the hypercall's answer. */
long press_keys(const char *keys);

#endif
