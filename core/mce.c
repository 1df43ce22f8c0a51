/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the banks of machine checks, and the records for dom0; see core/mce.h.
 *
 * Looking leaves alone what an exception is to tell, which may be on its way to this CPU or to another that shares the bank.
 * A bank is cleared when it was read, so that the next error is noted; if another came meanwhile, its status says so (OVER).
 * When the records are full the new ones are lost: the first errors tell more than those that follow from them.
 */
#include "core/mce.h"

#include "core/lock.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/pcpu.h"
#include "core/port.h"
#include "core/time.h"
#include "core/timer.h"
#include "x86/model/msr.h"

#include <xen/arch-x86/xen-mca.h>

#define LOOK    SEC(5)
#define RECORDS 32u    /* power of two */

#define CAP_BANKS    0xffu
#define CAP_CTL      BIT(8)
#define CAP_RECOVERY BIT(24) /* STATUS_S tells whether an exception follows */

#define GLOBAL_RIPV  BIT(0)

#define STATUS_S     BIT(56)
#define STATUS_PCC   BIT(57)
#define STATUS_ADDRV BIT(58)
#define STATUS_MISCV BIT(59)
#define STATUS_EN    BIT(60)
#define STATUS_UC    BIT(61)
#define STATUS_OVER  BIT(62)
#define STATUS_VAL   BIT(63)

enum { CTL, STATUS, ADDR, MISC };

static struct timer timers[MAX_CPUS];

static struct lock records_lock = LOCK_INIT(CONSOLE);
static struct mce_event records[RECORDS];
static uint64_t first, next; /* numbers: the oldest's, and that of the next to come */

/* ---- Registers ---- */

static uint64_t get(uint32_t msr)
{
    uint64_t value = 0;

    return machine_msr_read(msr, &value) ? value : 0;
}

static uint32_t msr_of(unsigned bank, unsigned which)
{
    return MSR_IA32_MC0_CTL + 4 * bank + which;
}

uint64_t mce_capabilities(void)
{
    return get(MSR_IA32_MCG_CAP);
}

static unsigned banks(void)
{
    return mce_capabilities() & CAP_BANKS;
}

/* Adds the bank to e. */
static void note(struct mce_event *e, unsigned bank, uint64_t status)
{
    struct mce_bank *b = &e->bank[e->count++];

    *b = (struct mce_bank){ .bank = bank, .status = status };
    if (status & STATUS_ADDRV)
        b->addr = get(msr_of(bank, ADDR));
    if (status & STATUS_MISCV)
        b->misc = get(msr_of(bank, MISC));
    e->flags |= status & STATUS_UC ? MC_FLAG_UNCORRECTABLE : MC_FLAG_CORRECTABLE;
}

static void begin(struct mce_event *e, uint32_t flags)
{
    *e = (struct mce_event){ .cpu = this_pcpu()->id, .flags = flags, .global = get(MSR_IA32_MCG_STATUS), .tsc = machine_tsc() };
}

/* ---- The exception ---- */

bool mce_exception(struct mce_event *e)
{
    bool fatal;

    begin(e, MC_FLAG_MCE);
    fatal = !(e->global & GLOBAL_RIPV);
    for (unsigned i = 0; i < banks(); i++) {
        uint64_t status = get(msr_of(i, STATUS));

        if (!(status & STATUS_VAL))
            continue;
        fatal |= (status & STATUS_PCC) || (status & (STATUS_UC | STATUS_EN)) == (STATUS_UC | STATUS_EN);
        if (e->count < MCE_BANKS)
            note(e, i, status);
    }
    if (!fatal)
        (void)machine_msr_write(MSR_IA32_MCG_STATUS, 0); /* another one before this would reset the machine */
    return fatal;
}

/* ---- Records ---- */

static void record(const struct mce_event *e)
{
    lock(&records_lock);
    if (next - first < RECORDS)
        records[next++ % RECORDS] = *e;
    unlock(&records_lock);
    virq_raise_global(VIRQ_MCA);
}

bool mce_fetch(struct mce_event *e, uint64_t *id)
{
    bool some;

    lock(&records_lock);
    some = first != next;
    if (some) {
        *e = records[first % RECORDS];
        *id = first;
    }
    unlock(&records_lock);
    return some;
}

void mce_acknowledge(uint64_t id)
{
    lock(&records_lock);
    if (first != next && id == first)
        first++;
    unlock(&records_lock);
}

/* ---- Looking ---- */

static void say(const struct mce_event *e)
{
    for (unsigned i = 0; i < e->count; i++) {
        const struct mce_bank *b = &e->bank[i];
        bool uncorrected = b->status & STATUS_UC;

        hv_log(uncorrected ? LOG_ERR : LOG_WARN, "CPU %u: machine check, %scorrected%s: bank %u, status %016lx, address %lx, misc %lx%s",
               e->cpu, uncorrected ? "un" : "", e->flags & MC_FLAG_RESET ? ", before the machine was reset" : "", b->bank, b->status,
               b->addr, b->misc, b->status & STATUS_OVER ? "; there were more" : "");
    }
}

static bool is_for_exception(uint64_t status, uint64_t cap)
{
    if ((status & (STATUS_UC | STATUS_EN)) != (STATUS_UC | STATUS_EN))
        return false;
    return !(cap & CAP_RECOVERY) || status & (STATUS_PCC | STATUS_S);
}

/* Takes what the banks hold: with MC_FLAG_RESET all, else what no exception tells. What there is no room for waits. */
static void take(uint32_t flags)
{
    uint64_t cap = mce_capabilities();
    struct mce_event e;

    begin(&e, flags);
    for (unsigned i = 0; i < (cap & CAP_BANKS) && e.count < MCE_BANKS; i++) {
        uint64_t status = get(msr_of(i, STATUS));

        if (!(status & STATUS_VAL) || (!(flags & MC_FLAG_RESET) && is_for_exception(status, cap)))
            continue;
        note(&e, i, status);
        (void)machine_msr_write(msr_of(i, STATUS), 0);
    }
    if (!e.count)
        return;
    say(&e);
    record(&e);
}

static void look(void *data)
{
    struct timer *t = data;

    take(MC_FLAG_POLLED);
    timer_set(t, now_ns() + LOOK);
}

void mce_start_cpu(void)
{
    struct timer *t = &timers[this_pcpu()->id];
    unsigned n = banks();

    if (!n)
        return;
    take(MC_FLAG_RESET);
    if (mce_capabilities() & CAP_CTL)
        (void)machine_msr_write(MSR_IA32_MCG_CTL, ~0ull);
    for (unsigned i = 0; i < n; i++)
        (void)machine_msr_write(msr_of(i, CTL), ~0ull);
    (void)machine_msr_write(MSR_IA32_MCG_STATUS, 0);
    timer_init(t, look, t, this_pcpu()->id);
    timer_set(t, now_ns() + LOOK);
}
