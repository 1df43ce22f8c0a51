/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers of trace records that `xentrace` reads, one a CPU, laid out as <xen/trace.h> says: struct t_info names the pages of
 * each; a struct t_buf heads each, records behind it.
 *
 * The control domain maps them writable, to move `cons`. So nothing is read from them but `cons`, once a record, and checked;
 * where we write is our own number. Buffers are made once and stay.
 */
#ifndef CORE_TBUF_H
#define CORE_TBUF_H

#include "core/ids.h"

/*
 * Makes the buffers, of `pages` pages each. 0; -EINVAL: 0, too many, or there are some of another size; -ENOMEM; -ERESTART:
 * call again with the same number. Takes no lock but its own, class DOMCTL.
 */
__must_check int tbuf_set_size(uint32_t pages);
/* Where struct t_info is, and its size in bytes; 0: no buffers. */
mfn_t tbuf_info(uint32_t *bytes);

/* 0, or -EINVAL: no buffers. */
int tbuf_enable(bool on);
void tbuf_set_cpus(cpumask_t cpus);
void tbuf_set_events(uint32_t mask); /* TRC_ classes and subclasses */
uint32_t tbuf_events(void);

/* Exit path (WORK_TBUF): a buffer of this CPU became half full. */
void tbuf_tell(void);

/* For the audit: each page that the hypervisor lets others write. */
void tbuf_each_frame(void (*each)(void *data, mfn_t m, bool writable), void *data);

#endif
