/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files of domctl and sysctl: the handlers that abi/table/domctl.def names, and what several of
 * them share.
 *
 * A handler runs under the DOMCTL lock, with a reference to the domain the call is about, on a private copy
 * of the argument. It gives an errno or a result; -ERESTART runs the same call again.
 */
#ifndef ABI_DOMCTL_H
#define ABI_DOMCTL_H

#include "abi/hypercall.h"

#include <xen/domctl.h>

struct cpu_policy;

typedef long domctl_handler(struct hypercall *hc, struct domain *d, struct xen_domctl *op);

/* Whom a command is about. */
enum domctl_target {
    TARGET_DOMAIN, /* op->domain, which must exist: else -ESRCH, whatever the command */
    TARGET_FREE,   /* the handler looks itself; d is NULL                             */
};

#define ROW(cmd, name, copy, needs, target, run) domctl_handler run;
#include "abi/table/domctl.def"
#undef ROW

/* The DOMCTL lock, for operations that change what domctls change: false if another call has it; try again (-ERESTART). */
__must_check bool domctl_begin(void);
void domctl_end(void);

/* vCPU `id` of d; NULL: beyond its number, or not made yet. */
struct vcpu *domctl_vcpu(struct domain *d, uint32_t id);

/* All that the tools see of a domain. No lock needed: numbers that belong together may be a moment apart. */
void domctl_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/* A bitmap of the caller's, at most 64 bits of it; missing ones are 0, others are ignored. 0 or -EFAULT. */
__must_check int bitmap_read(const struct xenctl_bitmap *from, uint64_t *bits);
/* The opposite; what is longer than 64 bits is cleared, up to BITMAP_BYTES. */
#define BITMAP_BYTES 512u
__must_check int bitmap_write(const struct xenctl_bitmap *to, uint64_t bits);

/*
 * Copies the policy into the caller's arrays; the counts become what was written. A NULL array: the count
 * becomes the most that any policy needs. 0, -ENOBUFS (nothing written), -EFAULT.
 */
long policy_copy_out(const struct cpu_policy *p, guest_ptr_t leaves, uint32_t *nr_leaves, guest_ptr_t msrs,
                     uint32_t *nr_msrs);

#endif
