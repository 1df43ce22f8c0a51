/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HYPERVISOR_console_io(cmd, count, buffer): the machine's console for those who have its privilege; for
 * others a place for early messages.
 */
#include "abi/hypercall.h"
#include "core/budget.h"
#include "core/console.h"

#define CHUNK 128u

/* Both move count and buffer in hc->arg on with each piece, so that a continuation does the rest. */

static long console_io_write(struct hypercall *hc)
{
    char buf[CHUNK];

    while (hc->arg[1]) {
        size_t n = MIN(hc->arg[1], (uint64_t)CHUNK);

        if (guest_read(buf, gptr(hc->arg[2]), n))
            return -EFAULT;
        if (domain_may(hc->d, PRIV_CONSOLE))
            log_console(buf, n);
        else
            console_guest_write(hc->d, buf, n);
        hc->arg[1] -= n;
        hc->arg[2] += n;
        /* A serial line takes milliseconds for that. */
        budget_spend();
        if (hc->arg[1])
            return -ERESTART;
    }
    return 0;
}

static long console_io_read(struct hypercall *hc)
{
    char buf[CHUNK];
    size_t n;

    if (!domain_may(hc->d, PRIV_CONSOLE))
        return refuse(hc->v, -EPERM, "console input is not its own");
    n = console_read(buf, MIN(hc->arg[1], (uint64_t)CHUNK));
    if (guest_write(gptr(hc->arg[2]), buf, n))
        return -EFAULT;
    return (long)n;
}

long do_console_io(struct hypercall *hc)
{
    hc->arg[1] = (uint32_t)hc->arg[1]; /* the ABI's count is an int */
    if (hc->arg[1] > INT32_MAX)
        return -EINVAL;
    switch ((uint32_t)hc->arg[0]) {
    case CONSOLEIO_write:
        return console_io_write(hc);
    case CONSOLEIO_read:
        return console_io_read(hc);
    default:
        return -ENOSYS;
    }
}
