/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypercall page: a stub of 32 bytes for each hypercall number, called by kernels that do not execute syscall themselves. */
#ifndef CORE_HYPERCALL_PAGE_H
#define CORE_HYPERCALL_PAGE_H

/* Fills a whole page, whatever was in it. */
void hypercall_page_fill(void *page);

#endif
