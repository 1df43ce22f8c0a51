/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hearts, who watches whom, and when one is missed; see core/heartbeat.h.
 *
 * Beats are counted and not dated: who watches takes the time by its own clock alone, so CPUs whose clocks differ do not
 * accuse each other. An accusation names the beat after which nothing came; an NMI that comes late finds another one and means
 * nothing. Who comes late to a look of its own accuses nobody, for the whole machine may have stood still: an SMI, or a
 * hypervisor below that paused it.
 */
#include "core/heartbeat.h"

#include "core/log.h"
#include "core/pcpu.h"
#include "core/time.h"
#include "core/timer.h"

#include <stdatomic.h>

#define BEATS_PER_TIMEOUT 4u
#define ACCUSED           BIT(32)

static struct heart {
    _Atomic uint32_t beats;   /* counted by its own CPU */
    _Atomic uint64_t accused; /* ACCUSED and the last beat, by who watches it */
    struct timer timer;
    /* Of the CPU that it watches; its own CPU's alone. */
    uint32_t seen;            /* beats at the last look */
    uint64_t since;           /* own time when they became so many, or the watching began, ns */
    uint64_t looked;          /* own time of the last look */
    bool asked;               /* an NMI was sent since */
} hearts[MAX_CPUS];

static _Atomic uint64_t timeout; /* ns; 0: nobody watches */

void heartbeat_watch(void)
{
    uint64_t limit = atomic_load_explicit(&timeout, memory_order_relaxed), now;
    unsigned cpu, next;
    struct heart *h, *watched;
    uint32_t beats;
    bool late;

    if (likely(!limit))
        return;
    cpu = this_pcpu()->id;
    next = (cpu + 1) % pcpu_count;
    h = &hearts[cpu];
    watched = &hearts[next];
    beats = watched->beats;
    now = now_ns();
    late = now - h->looked > limit / 2;
    h->looked = now;
    if (beats != h->seen || late) {
        h->seen = beats;
        h->since = now;
        h->asked = false;
    } else if (!h->asked && now - h->since >= limit) {
        h->asked = true;
        watched->accused = ACCUSED | beats;
        machine_nmi(next);
    } else if (h->asked && now - h->since >= 2 * limit) {
        panic("watchdog: CPU %u does not come to its timers, and does not answer an NMI", next);
    }
}

static void beat(void *data)
{
    struct heart *h = data;
    uint64_t limit = timeout;

    if (!limit)
        return;
    h->beats++;
    heartbeat_watch();
    timer_set(&h->timer, now_ns() + limit / BEATS_PER_TIMEOUT);
}

void heartbeat_start(unsigned seconds)
{
    uint64_t now = now_ns();

    if (pcpu_count < 2) {
        hv_log(LOG_WARN, "watchdog: a CPU is watched by another, and there is one only: off");
        return;
    }
    for (unsigned i = 0; i < pcpu_count; i++) {
        hearts[i] = (struct heart){ .since = now, .looked = now };
        timer_init(&hearts[i].timer, beat, &hearts[i], i);
    }
    timeout = SEC(seconds);
    for (unsigned i = 0; i < pcpu_count; i++)
        timer_set(&hearts[i].timer, now + timeout / BEATS_PER_TIMEOUT);
    hv_log(LOG_INFO, "watchdog: a CPU that does not come to its timers for %u seconds ends the hypervisor", seconds);
}

void heartbeat_stop(void)
{
    timeout = 0;
}

unsigned heartbeat_missed(void)
{
    const struct heart *h = &hearts[this_pcpu()->id];
    uint64_t limit = timeout;

    return limit && h->accused == (ACCUSED | h->beats) ? (unsigned)(limit / SEC(1)) : 0;
}
