/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System time is the TSC since boot, scaled: ((tsc - base) << shift) * mul >> 32. It is the formula that
 * guests use, with the same factors, so that the hypervisor's clock and theirs agree.
 *
 * While all TSCs agree for ever, every vCPU gets the same parameters (base, 0): then two vCPUs read the same
 * time at the same moment, to the nanosecond. Otherwise each gets those of the CPU and the moment at which it
 * was scheduled.
 */
#include "core/time.h"

#include "core/domain.h"
#include "core/machine.h"
#include "core/vcpu.h"
#include "core/vcpu_area.h"
#include "lib/div.h"

#include <stdatomic.h>

static struct {
    uint64_t hz, base;
    uint32_t mul;
    int8_t shift;
    bool stable;
} source;

static _Atomic uint64_t epoch_ns; /* UTC at system time 0 */
static struct lock wallclock_lock = LOCK_INIT(AREA); /* one writer of wc_* at a time */

void time_init(uint64_t tsc_hz, bool stable, uint64_t epoch_s)
{
    int shift = 0;

    /* mul gets all its 32 bits: 1 GHz < hz << shift <= 2 GHz. */
    while (tsc_hz >> -shift > 2000000000ull)
        shift--;
    if (!shift)
        while (tsc_hz << shift <= 1000000000ull)
            shift++;
    source.hz = tsc_hz;
    source.shift = (int8_t)shift;
    if (shift < 0)
        source.mul = (uint32_t)muldiv64(1000000000ull << 32, 1ull << -shift, tsc_hz);
    else
        source.mul = (uint32_t)muldiv64(1000000000ull, 1ull << 32, tsc_hz << shift);
    source.stable = stable;
    source.base = machine_tsc();
    epoch_ns = SEC(epoch_s);
}

void time_make_unstable(void) { source.stable = false; }
uint64_t time_tsc_khz(void) { return source.hz / 1000; }
bool time_stable(void)      { return source.stable; }
uint64_t now_ns(void)       { return tsc_to_ns(machine_tsc()); }

uint64_t ticks_to_ns(uint64_t ticks)
{
    return mul_shift(source.shift < 0 ? ticks >> -source.shift : ticks << source.shift, source.mul, 32);
}

uint64_t tsc_to_ns(uint64_t tsc)
{
    uint64_t delta = tsc - source.base;

    if ((int64_t)delta < 0) /* a CPU whose TSC is a little behind the boot CPU's, just after boot */
        return 0;
    return ticks_to_ns(delta);
}

uint64_t ns_to_tsc(uint64_t ns)
{
    uint64_t x;

    if (ns >> 58) /* in nine years: never */
        return ~0ull;
    /* ceil(ns * 2^32 / mul) without a 128-bit division; the rest is below 2^32. */
    x = (ns / source.mul << 32) + DIV_ROUNDUP(ns % source.mul << 32, (uint64_t)source.mul);
    return source.base + (source.shift < 0 ? x << -source.shift : DIV_ROUNDUP(x, 1ull << source.shift));
}

/*
 * The version is odd while the rest changes. Each store orders all earlier ones before it, so no reader sees
 * new values under the old version. The version counts in v, not in guest memory.
 */
static void put_time(area_word_t *const *to, uint32_t version, uint64_t tsc)
{
    uint64_t flags = source.stable ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;

    __atomic_store_n((area_word32_t *)to[0], version | 1, __ATOMIC_RELAXED);
    area_store(to, 1, tsc);
    area_store(to, 2, tsc_to_ns(tsc));
    area_store(to, 3, source.mul | (uint64_t)(uint8_t)source.shift << 32 | flags << 40);
    __atomic_store_n((area_word32_t *)to[0], version, __ATOMIC_RELEASE);
}
_Static_assert(sizeof(struct vcpu_time_info) == 32 && offsetof(struct vcpu_time_info, tsc_timestamp) == 8 &&
               offsetof(struct vcpu_time_info, tsc_to_system_mul) == 24 &&
               offsetof(struct vcpu_time_info, tsc_shift) == 28,
               "put_time writes it by words");

void time_update_vcpu(struct vcpu *v)
{
    uint64_t tsc = source.stable ? source.base : machine_tsc();

    lock(&v->area_lock);
    v->time_version += 2;
    if (v->info) {
        area_word_t *at = (area_word_t *)&v->info->time, *const to[] = { at, at + 1, at + 2, at + 3 };

        put_time(to, v->time_version, tsc);
    }
    if (area_registered(&v->time_area))
        put_time(v->time_area.w, v->time_version, tsc);
    unlock(&v->area_lock);
}

/*
 * The page is the guest's to write: the version continues from what is there, and only the guest suffers if
 * it lies.
 */
void time_update_wallclock(struct domain *d)
{
    struct shared_info *s = d->shared;
    uint64_t epoch, sec;
    uint32_t version;

    lock(&wallclock_lock);
    epoch = epoch_ns; /* of two writers the second has what the first set, too */
    sec = epoch / 1000000000ull + READ_ONCE(d->time_offset_s);
    version = (__atomic_load_n(&s->wc_version, __ATOMIC_RELAXED) | 1) + 1;
    __atomic_store_n(&s->wc_version, version - 1, __ATOMIC_RELAXED);
    __atomic_store_n(&s->wc_sec, (uint32_t)sec, __ATOMIC_RELEASE);
    __atomic_store_n(&s->wc_sec_hi, (uint32_t)(sec >> 32), __ATOMIC_RELEASE);
    __atomic_store_n(&s->wc_nsec, (uint32_t)(epoch % 1000000000ull), __ATOMIC_RELEASE);
    __atomic_store_n(&s->wc_version, version, __ATOMIC_RELEASE);
    unlock(&wallclock_lock);
}

void time_set_wallclock(uint64_t sec, uint32_t nsec, uint64_t at_ns)
{
    struct domain *d;
    domid_t next = 0;

    epoch_ns = SEC(sec) + nsec - at_ns;
    while ((d = domain_get_next(next)) != NULL) {
        time_update_wallclock(d);
        next = (domid_t)(d->id + 1);
        domain_put(d);
    }
}

uint64_t time_wallclock_s(void)
{
    return (epoch_ns + now_ns()) / 1000000000ull;
}
