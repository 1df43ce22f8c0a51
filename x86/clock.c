/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TSC is the clock; everything else serves to find out how fast it is.
 *
 * A reference counter (HPET, ACPI PM timer or PIT channel 2, whichever is there first) is read between two
 * reads of the TSC, at the beginning and at the end of 50 ms; of several tries the pair that took least time
 * counts, so that an SMI, or an emulator that was put aside, does not spoil the measurement. If CPUID says how
 * fast the TSC is, it can be its own reference, by which the APIC timer is measured.
 */
#include "x86/clock.h"

#include "boot/parse/acpi.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/time.h"
#include "lib/div.h"
#include "x86/apic.h"
#include "x86/asm.h"
#include "x86/mm.h"

#define MEASURE_MS      50u
#define TRIES           8u
#define NARROW          0xffffu       /* a counter that wraps in about the time of a measurement */
#define STUCK_CYCLES    4000000000ull /* a reference that does not move for so long is broken */

/* ---- References ---- */

struct reference {
    const char *name;
    uint64_t hz;
    uint32_t mask;             /* of the counter's bits; it counts up */
    uint32_t (*read)(void);
};

#define HPET_BYTES      0x400u
#define HPET_PERIOD     0x004u /* high half of the capabilities: femtoseconds */
#define HPET_CONFIG     0x010u
#define HPET_COUNTER    0x0f0u
#define HPET_RUN        1u
#define FEMTO           1000000000000000ull
#define PM_TIMER_HZ     3579545u
#define PIT_HZ          1193182u

static volatile uint8_t *hpet;
static uint16_t pm_timer;

static uint32_t hpet_read(void)     { return mmio_read32(hpet + HPET_COUNTER); }
static uint32_t pm_timer_read(void) { return inl(pm_timer); }
static uint32_t tsc_read(void)      { return (uint32_t)rdtsc(); }

/* Channel 2 counts down; turned round, so that it counts up. */
static uint32_t pit_read(void)
{
    uint32_t lo;

    outb(0x43, 0x80);
    lo = inb(0x42);
    return 0xffff - (lo | (uint32_t)inb(0x42) << 8);
}

static bool hpet_start(const struct acpi_info *acpi, struct reference *ref)
{
    uint32_t period;

    hpet = acpi->hpet_base ? io_map(acpi->hpet_base, HPET_BYTES) : NULL;
    if (!hpet)
        return false;
    period = mmio_read32(hpet + HPET_PERIOD);
    if (!period || period > 100000000) /* the standard's limit: 100 ns */
        return false;
    mmio_write32(hpet + HPET_CONFIG, mmio_read32(hpet + HPET_CONFIG) | HPET_RUN);
    *ref = (struct reference){ "HPET", FEMTO / period, 0xffffffff, hpet_read };
    return true;
}

static bool pm_timer_start(const struct acpi_info *acpi, struct reference *ref)
{
    if (!acpi->pm_timer.address || acpi->pm_timer.space != 1)
        return false;
    pm_timer = (uint16_t)acpi->pm_timer.address;
    *ref = (struct reference){ "ACPI PM timer", PM_TIMER_HZ, 0xffffff, pm_timer_read };
    return true;
}

static bool pit_start(const struct acpi_info *acpi, struct reference *ref)
{
    outb(0x61, (inb(0x61) & ~0x02u) | 0x01); /* gate of channel 2 open, speaker off */
    outb(0x43, 0xb4);                        /* channel 2, both bytes, rate generator */
    outb(0x42, 0);
    outb(0x42, 0);
    *ref = (struct reference){ "PIT", PIT_HZ, 0xffff, pit_read };
    return true;
}

static struct cpuid_leaf leaf(uint32_t number)
{
    struct cpuid_regs r = cpuid(0, 0).eax >= number ? cpuid(number, 0) : (struct cpuid_regs){ 0 };

    return (struct cpuid_leaf){ r.eax, r.ebx, r.ecx, r.edx };
}

static bool tsc_start(const struct acpi_info *acpi, struct reference *ref)
{
    *ref = (struct reference){ "CPUID", clock_tsc_hz(leaf(0x15), leaf(0x16)), 0xffffffff, tsc_read };
    return ref->hz;
}

/* Does it count? */
static bool runs(const struct reference *ref)
{
    uint32_t first = ref->read();
    uint64_t began = rdtsc();

    while (rdtsc() - began < STUCK_CYCLES / 100)
        if ((ref->read() ^ first) & ref->mask)
            return true;
    return false;
}

static void choose(const struct acpi_info *acpi, enum clock_source first, struct reference *ref)
{
    static bool (*const start[CLOCK_SOURCES])(const struct acpi_info *, struct reference *) = {
        [CLOCK_HPET] = hpet_start, [CLOCK_ACPI] = pm_timer_start, [CLOCK_PIT] = pit_start, [CLOCK_TSC] = tsc_start,
    };
    enum clock_source order[CLOCK_SOURCES];
    unsigned n = clock_order(first, order);

    for (unsigned i = 0; i < n; i++) {
        if (start[order[i]](acpi, ref) && runs(ref))
            return;
        if (order[i] == first)
            hv_log(LOG_WARN, "clocksource=: there is no such clock that counts; the usual ones are tried");
    }
    panic("no clock to measure the TSC by: neither HPET nor PM timer nor PIT counts, and CPUID does not say");
}

/* ---- Measuring ---- */

struct sample { uint64_t tsc; uint32_t ref, apic; };

static struct sample take_sample(const struct reference *ref)
{
    struct sample best = { 0 };
    uint64_t shortest = ~0ull;

    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t before = rdtsc_ordered();
        uint32_t r = ref->read();
        uint32_t a = apic_timer_left();
        uint64_t after = rdtsc_ordered();

        if (after - before < shortest) {
            shortest = after - before;
            best = (struct sample){ before + shortest / 2, r, a };
        }
    }
    return best;
}

static uint64_t tsc_hz, apic_scale; /* APIC timer ticks per TSC tick, 32 fraction bits */

static void measure(const struct reference *ref)
{
    uint64_t wanted = ref->hz * MEASURE_MS / 1000, ref_ticks, tsc_ticks;
    struct sample first, last;

    wanted = MIN(wanted, (uint64_t)ref->mask / 2); /* the rest is for delays before the counter wraps */
    if (!apic_timer_has_deadline())
        apic_timer_count(0xffffffff);
    first = take_sample(ref);
    while (((ref->read() - first.ref) & ref->mask) < wanted)
        if (rdtsc() - first.tsc > STUCK_CYCLES)
            panic("the %s stopped", ref->name);
    last = take_sample(ref);
    if (!apic_timer_has_deadline())
        apic_timer_count(0);
    ref_ticks = (last.ref - first.ref) & ref->mask;
    tsc_ticks = last.tsc - first.tsc;
    tsc_hz = muldiv64(tsc_ticks, ref->hz, ref_ticks);
    apic_scale = muldiv64(first.apic - last.apic, 1ull << 32, tsc_ticks);
}

/*
 * The PIT wraps after 55 ms. If the CPU was away for so long, by an SMI or because an emulator was put aside, ticks are missing,
 * and the TSC seems faster than it is, never slower. So the slowest of several measurements counts.
 */
static void measure_narrow(const struct reference *ref)
{
    uint64_t slowest = ~0ull;

    for (unsigned i = 0; i < TRIES; i++) {
        measure(ref);
        slowest = MIN(slowest, tsc_hz);
    }
    tsc_hz = slowest;
}

/* ---- The battery clock ---- */

enum {
    RTC_SEC = 0, RTC_MIN = 2, RTC_HOUR = 4, RTC_DAY = 7, RTC_MONTH = 8, RTC_YEAR = 9,
    RTC_A = 10, RTC_B = 11,
};

#define RTC_A_UPDATING  0x80u
#define RTC_B_24H       0x02u
#define RTC_B_BINARY    0x04u
#define RTC_HOUR_PM     0x80u

static uint8_t cmos(uint8_t i)
{
    outb(0x70, i);
    return inb(0x71);
}

struct rtc { uint8_t sec, min, hour, day, month, year; };

static struct rtc rtc_snapshot(void)
{
    for (unsigned i = 0; i < 1000000 && cmos(RTC_A) & RTC_A_UPDATING; i++)
        cpu_pause();
    return (struct rtc){ cmos(RTC_SEC), cmos(RTC_MIN), cmos(RTC_HOUR), cmos(RTC_DAY), cmos(RTC_MONTH),
                         cmos(RTC_YEAR) };
}

static bool rtc_same(const struct rtc *a, const struct rtc *b)
{
    return a->sec == b->sec && a->min == b->min && a->hour == b->hour && a->day == b->day &&
           a->month == b->month;
}

static unsigned rtc_number(uint8_t v, uint8_t mode)
{
    return mode & RTC_B_BINARY ? v : (v & 15) + (v >> 4) * 10u;
}

/* Years begin in March here, so that the day that comes and goes is the last one. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
    unsigned y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;

    return 365ull * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

uint64_t clock_read_rtc(void)
{
    uint8_t mode = cmos(RTC_B);
    struct rtc t = rtc_snapshot(), again = rtc_snapshot();
    unsigned year, month, day, hour;

    for (unsigned i = 0; i < 5 && !rtc_same(&t, &again); i++) {
        t = again;
        again = rtc_snapshot();
    }
    hour = rtc_number(t.hour & (mode & RTC_B_24H ? 0xff : 0x7f), mode);
    if (!(mode & RTC_B_24H))
        hour = hour % 12 + (t.hour & RTC_HOUR_PM ? 12 : 0);
    month = rtc_number(t.month, mode);
    day = rtc_number(t.day, mode);
    year = rtc_number(t.year, mode);
    year += year < 70 ? 2000 : 1900;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23)
        return 0;
    return days_since_1970(year, month, day) * 86400 + hour * 3600 + rtc_number(t.min, mode) * 60 +
           rtc_number(t.sec, mode);
}

/* ---- For everyone ---- */

static bool tsc_invariant(void)
{
    return cpuid(0x80000000, 0).eax >= 0x80000007 && cpuid(0x80000007, 0).edx & (1u << 8);
}

void clock_init(const struct acpi_info *acpi, enum clock_source first)
{
    struct reference ref;

    choose(acpi, first, &ref);
    if (ref.mask > NARROW)
        measure(&ref);
    else
        measure_narrow(&ref);
    hv_log(LOG_INFO, "TSC runs at %lu.%03lu MHz by the %s%s", tsc_hz / 1000000, tsc_hz / 1000 % 1000,
           ref.name, tsc_invariant() ? ", invariant" : "");
    time_init(tsc_hz, tsc_invariant(), clock_read_rtc());
}

void clock_delay_us(uint32_t us)
{
    uint64_t end = rdtsc() + muldiv64(us, tsc_hz, 1000000);

    while (rdtsc() < end)
        cpu_pause();
}

uint64_t machine_tsc(void)
{
    return rdtsc_ordered();
}

/* The one-shot counter may be too narrow: it then goes off early, and the caller asks again. */
void machine_timer(uint64_t tsc)
{
    uint64_t now, ticks;

    if (apic_timer_has_deadline()) {
        apic_timer_deadline(tsc == ~0ull ? 0 : MAX(tsc, (uint64_t)1));
        return;
    }
    if (tsc == ~0ull) {
        apic_timer_count(0);
        return;
    }
    now = rdtsc();
    ticks = tsc > now ? mul_shift(MIN(tsc - now, BIT(40)), apic_scale, 32) + 1 : 1;
    apic_timer_count(ticks > 0xffffffff ? 0xffffffff : (uint32_t)ticks);
}
