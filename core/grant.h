/* SPDX-License-Identifier: BSD-2-Clause */
/* Grant tables: how one domain lets another map or copy some of its frames. What the rest may ask of core/grant*.c. */
#ifndef CORE_GRANT_H
#define CORE_GRANT_H

#include "core/ids.h"

struct domain;

/* Frame 0 of the shared table exists from here on, version 1. 0 or -ENOMEM. */
int grants_init(struct domain *d, unsigned max_frames, unsigned max_maptrack, unsigned max_version);
/* d dies: gives back all it has mapped (budgeted: -ERESTART); its own entries stay valid for those who mapped them. */
__must_check int grants_kill(struct domain *d);
void grants_free(struct domain *d);
unsigned grants_mapped(struct domain *d); /* handles in use, for the leak check */
void grants_dump(struct domain *d);       /* debug key 'g' */

/* XENMEM_acquire_resource: MFN of shared (status: v2) table frame `idx`, growing the table as needed. 0 or errno. */
int grants_resource(struct domain *d, bool status, unsigned idx, mfn_t *out);
unsigned grants_max_frames(struct domain *d);

#endif
