/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recorders of all CPUs as lines of text, merged by time. CPUs may record on while they are read, so a line of the debug key
 * can be garbled; at a panic they are stopped first.
 */
#include "core/frame.h"
#include "core/keys.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/time.h"
#include "core/trace.h"
#include "lib/errno.h"
#include "lib/printf.h"

#include <xen/vcpu.h>

#define LINE 160u
#define KEY_RECORDS 40u /* shown by the key, of all CPUs together */
#define KEY_PIECE   4u

static struct trace_cpu *recorders[MAX_CPUS];

int trace_init_cpu(unsigned cpu)
{
    struct trace_cpu *t = hv_alloc(sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->record = hv_alloc(TRACE_RECORDS * sizeof(*t->record));
    if (!t->record) {
        hv_free(t, sizeof(*t));
        return -ENOMEM;
    }
    recorders[cpu] = t;
    pcpus[cpu]->trace = t;
    return 0;
}

/* ---- One record ---- */

/* How the words of an event are read: the letters of `form`, see arguments(). */
static const struct name { uint32_t event; const char *name, *form; } names[] = {
    { TRC_PV_HYPERCALL_V2,              "hypercall",          "h" },
    { TRC_PV_HYPERCALL_SUBCALL,         "in a multicall:",    "h" },
    { TRC_PV_TRAP | TRC_64_FLAG,        "exception at",       "at" },
    { TRC_PV_PAGE_FAULT | TRC_64_FLAG,  "page fault: rip, address, error", "aax" },
    { TRC_PV_EMULATE_PRIVOP | TRC_64_FLAG, "privileged instruction emulated at", "a" },
    { TRC_PV_PTWR_EMULATION | TRC_64_FLAG, "page-table write emulated: entry, address, rip", "aaa" },
    { TRC_SCHED_SWITCH_INFPREV,         "switch: from, ns it ran", "vu" },
    { TRC_SCHED_SWITCH_INFNEXT,         "switch: to, ns it waited, slice", "vuu" },
    { TRC_SCHED_SWITCH_INFCONT,         "goes on:", "vuu" },
    { TRC_SCHED_WAKE,                   "wake",               "v" },
    { TRC_SCHED_SLEEP,                  "sleep",              "v" },
    { TRC_SCHED_BLOCK,                  "block",              "v" },
    { TRC_SCHED_YIELD,                  "yield",              "v" },
    { TRC_SCHED_SHUTDOWN,               "shutdown, reason",   "vu" },
    { TRC_SCHED_SHUTDOWN_CODE,          "shutdown code",      "vu" },
    { TRC_SCHED_DOM_ADD,                "scheduler has domain", "u" },
    { TRC_SCHED_DOM_REM,                "scheduler has no more domain", "u" },
    { TRC_DOM0_DOM_ADD,                 "domain created",     "u" },
    { TRC_DOM0_DOM_REM,                 "domain destroyed",   "u" },
    { TRC_MEM_PAGE_GRANT_MAP,           "map grants of domain, how many", "uu" },
    { TRC_MEM_PAGE_GRANT_UNMAP,         "unmap grants of domain, how many", "uu" },
    { TRC_MEM_PAGE_GRANT_TRANSFER,      "transfer a frame to domain", "u" },
    { TRC_HW_IRQ_HANDLED,               "device interrupt, from, to", "uxx" },
    { TRACE_SYSCALL,                    "system call from",   "a" },
    { TRACE_EVENT,                      "event to domain, port", "uu" },
    { TRACE_UPCALL,                     "event callback from", "a" },
    { TRACE_VECTOR,                     "interrupt, vector",  "x" },
    { TRACE_KICK,                       "kick CPU",           "u" },
};

static const char *const runstates[] = { "running", "runnable", "blocked", "offline" };

/* a: 64-bit address; v: domain and vCPU; u, x: a number; t: a trap's number and error; h: hypercall and arguments. */
static size_t arguments(char *to, size_t room, const char *form, const struct trace_record *r)
{
    const uint32_t *w = r->word;
    size_t n = 0;

    for (; *form && n < room; form++)
        switch (*form) {
        case 'a':
            n += ksnprintf(to + n, room - n, " %#lx", w[0] | (uint64_t)w[1] << 32);
            w += 2;
            break;
        case 'v':
            n += ksnprintf(to + n, room - n, " d%uv%u", w[0], w[1]);
            w += 2;
            break;
        case 'u':
            n += ksnprintf(to + n, room - n, " %u", *w++);
            break;
        case 'x':
            n += ksnprintf(to + n, room - n, " %#x", *w++);
            break;
        case 't':
            n += ksnprintf(to + n, room - n, " vector %u error %#x", *w & 0x7fff, *w >> 16);
            break;
        case 'h':
            n += ksnprintf(to + n, room - n, " %u (", *w & ~TRC_PV_HYPERCALL_V2_ARG_MASK);
            for (unsigned i = 0; n < room && i < (r->event >> TRACE_EXTRA_SHIFT & TRACE_EXTRA_MAX) / 2; i++)
                n += ksnprintf(to + n, room - n, i ? ", %#lx" : "%#lx", w[1 + 2 * i] | (uint64_t)w[2 + 2 * i] << 32);
            if (n < room && r->result == TRACE_NO_RESULT)
                n += ksnprintf(to + n, room - n, ") from %#lx", r->rip);
            else if (n < room)
                n += ksnprintf(to + n, room - n, ") = %ld from %#lx", r->result, r->rip);
            break;
        }
    return n;
}

static void describe(char *to, size_t room, const struct trace_record *r)
{
    uint32_t event = TRC_HD_TO_EVENT(r->event);
    size_t n;

    if ((event & ~0xff0u) == TRC_SCHED_RUNSTATE_CHANGE) {
        ksnprintf(to, room, "d%uv%u %s, was %s", r->word[0] >> 16, r->word[0] & 0xffff, runstates[event >> 4 & 3],
                  runstates[event >> 8 & 3]);
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].event == event) {
            n = ksnprintf(to, room, "%s", names[i].name);
            arguments(to + n, room - n, names[i].form, r);
            return;
        }
    ksnprintf(to, room, "event %#x", event);
}

/* ---- All of them ---- */

struct cursor { uint32_t at[MAX_CPUS], end[MAX_CPUS]; };

static void start(struct cursor *c, unsigned each)
{
    for (unsigned i = 0; i < pcpu_count; i++) {
        c->end[i] = recorders[i] ? recorders[i]->next : 0;
        c->at[i] = c->end[i] - MIN(MIN(c->end[i], each), TRACE_RECORDS);
    }
}

/* The CPU whose next record is the oldest; pcpu_count: there is none. */
static unsigned oldest(const struct cursor *c)
{
    unsigned found = pcpu_count;
    uint64_t first = ~0ull;

    for (unsigned i = 0; i < pcpu_count; i++) {
        uint64_t tsc;

        if (c->at[i] == c->end[i])
            continue;
        tsc = recorders[i]->record[c->at[i] % TRACE_RECORDS].tsc;
        if (tsc <= first) {
            first = tsc;
            found = i;
        }
    }
    return found;
}

/* Shows up to `most` records; false: there are no more. */
static bool show(struct cursor *c, unsigned most)
{
    char text[LINE];

    while (most--) {
        unsigned cpu = oldest(c);
        const struct trace_record *r;

        if (cpu == pcpu_count)
            return false;
        r = &recorders[cpu]->record[c->at[cpu]++ % TRACE_RECORDS];
        describe(text, sizeof(text), r);
        if ((r->who & 0xffff) == TRACE_DOM_IDLE)
            hv_log(LOG_ERR, "%14lu CPU%u -: %s", tsc_to_ns(r->tsc), cpu, text);
        else
            hv_log(LOG_ERR, "%14lu CPU%u d%uv%u: %s", tsc_to_ns(r->tsc), cpu, r->who & 0xffff, r->who >> 16, text);
    }
    return true;
}

void trace_show_last(unsigned each)
{
    static struct cursor c;

    for (unsigned i = 0; i < pcpu_count; i++)
        pcpus[i]->trace = NULL;
    start(&c, each);
    hv_log(LOG_ERR, "the last %u events of each CPU (ns since boot):", each);
    (void)show(&c, ~0u);
}

/* ---- The key ---- */

/* One report at a time: another that comes in between only moves it on. */
static uint64_t show_recorders(uint64_t at)
{
    static struct cursor c;

    if (!at)
        start(&c, MAX(KEY_RECORDS / pcpu_count, 4u));
    return show(&c, KEY_PIECE) ? 1 : 0;
}

void trace_keys_init(void)
{
    key_register('T', "show the last events of each CPU", true, show_recorders);
}
