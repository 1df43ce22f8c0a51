/* SPDX-License-Identifier: BSD-2-Clause */
/* Watchdog timers of domains; see core/watchdog.h. */
#include "core/watchdog.h"

#include "core/domain.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/time.h"
#include "lib/errno.h"

#include <stdatomic.h>
#include <xen/sched.h>

static void expired(void *data)
{
    struct domain *d = data;

    guest_log(d, LOG_WARN, "its watchdog ran out");
    domain_shutdown(d, SHUTDOWN_watchdog);
}

static bool in_use(struct domain *d, uint32_t id)
{
    return id >= 1 && id <= ARRAY_SIZE(d->watchdog) && (atomic_load(&d->watchdogs) & BIT(id - 1));
}

static void set(struct domain *d, unsigned i, uint32_t seconds)
{
    timer_set(&d->watchdog[i], now_ns() + SEC(seconds));
}

int watchdog_start(struct domain *d, uint32_t seconds)
{
    for (unsigned i = 0; i < ARRAY_SIZE(d->watchdog); i++) {
        /* The bit is ours first, then the timer: nobody else touches it until we return the id. */
        if (atomic_fetch_or(&d->watchdogs, BIT(i)) & BIT(i))
            continue;
        if (!d->watchdog[i].run)
            timer_init(&d->watchdog[i], expired, d, this_pcpu()->id);
        set(d, i, seconds);
        return (int)i + 1;
    }
    return -ENOSPC;
}

int watchdog_poke(struct domain *d, uint32_t id, uint32_t seconds)
{
    if (!in_use(d, id) || !d->watchdog[id - 1].run)
        return -EINVAL;
    set(d, id - 1, seconds);
    return 0;
}

int watchdog_stop(struct domain *d, uint32_t id)
{
    if (!in_use(d, id) || !d->watchdog[id - 1].run)
        return -EINVAL;
    timer_stop(&d->watchdog[id - 1]);
    atomic_fetch_and(&d->watchdogs, ~(uint32_t)BIT(id - 1));
    return 0;
}

void watchdogs_kill(struct domain *d)
{
    for (unsigned i = 0; i < ARRAY_SIZE(d->watchdog); i++)
        if (d->watchdog[i].run)
            timer_kill(&d->watchdog[i]);
    atomic_store(&d->watchdogs, 0);
}
