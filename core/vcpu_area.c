/* SPDX-License-Identifier: BSD-2-Clause */
/* The pages of the guest that show a vCPU its events, its time and its runstate; see core/vcpu_area.h. */
#include "core/vcpu_area.h"

#include "core/domain.h"
#include "core/flush.h"
#include "core/frame.h"
#include "core/guest.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "lib/errno.h"

#include <stdatomic.h>

struct vcpu_info *vcpu_info_home(struct vcpu *v)
{
    struct shared_info *s = v->domain->shared;

    return s && v->id < XEN_LEGACY_MAX_VCPUS ? &s->vcpu_info[v->id] : &v->no_info;
}

static void area_put(const struct guest_area *a)
{
    for (unsigned i = 0; i < 2; i++)
        if (!mfn_same(a->mfn[i], MFN_NONE))
            frame_put_type(a->mfn[i]);
}

/* The frame or, if it crosses a page boundary, both frames of the area, and its words in them. */
static int area_find(struct guest_area *a, size_t size)
{
    uint64_t offset = a->va & ~PAGE_MASK;
    int err;

    if (a->va % sizeof(area_word_t) || a->va + size < a->va)
        return -EINVAL;
    err = guest_frame_get(gptr(a->va), true, &a->mfn[0]);
    if (err)
        return err;
    if (offset + size > PAGE_SIZE) {
        err = guest_frame_get(gptr(ROUNDUP(a->va, PAGE_SIZE)), true, &a->mfn[1]);
        if (err) {
            a->mfn[1] = MFN_NONE;
            area_put(a);
            return err;
        }
    }
    ASSERT(size <= AREA_WORDS * sizeof(area_word_t));
    for (unsigned i = 0; i < size / sizeof(area_word_t); i++, offset += sizeof(area_word_t)) {
        uint8_t *page = machine_frame(a->mfn[offset >> PAGE_SHIFT]);

        a->w[i] = (area_word_t *)(page + (offset & ~PAGE_MASK));
    }
    return 0;
}

int vcpu_area_set(struct vcpu *v, struct guest_area *a, uint64_t va, size_t size)
{
    struct guest_area new = { .mfn = { MFN_NONE, MFN_NONE }, .va = va }, old;
    int err = va ? area_find(&new, size) : 0;

    if (err)
        return err;
    lock(&v->area_lock);
    old = *a;
    *a = new;
    unlock(&v->area_lock);
    area_put(&old);
    return 0;
}

/*
 * From here on others set pending bits in `to`. One that still read the old place has set the port's own bit
 * before, and only its selector bit is lost: so everything is marked afterwards, and the guest looks
 * everywhere. Word by word, for others still set bits there.
 */
static void info_move(struct vcpu *v, struct vcpu_info *to)
{
    const area_word_t *from = (const area_word_t *)v->info;

    for (unsigned i = 0; i < sizeof(*to) / sizeof(*from); i++)
        WRITE_ONCE(((area_word_t *)to)[i], READ_ONCE(from[i]));
    atomic_store(&v->info, to);
    __atomic_store_n(&to->evtchn_pending_sel, ~0ul, __ATOMIC_SEQ_CST);
    __atomic_store_n(&to->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
}

int vcpu_info_register(struct vcpu *v, mfn_t m, uint32_t offset)
{
    bool first;
    int err;

    if (offset % sizeof(area_word_t) || offset > PAGE_SIZE - sizeof(struct vcpu_info))
        return -ENXIO;
    err = frame_get_type(v->domain, m, TYPE_WRITABLE);
    if (err)
        return err;
    lock(&v->area_lock);
    first = mfn_same(v->info_mfn, MFN_NONE);
    if (first) {
        v->info_mfn = m;
        info_move(v, (struct vcpu_info *)((uint8_t *)machine_frame(m) + offset));
    }
    unlock(&v->area_lock);
    if (!first)
        frame_put_type(m);
    return first ? 0 : -EINVAL;
}

void vcpu_areas_drop(struct vcpu *v)
{
    struct guest_area none = { .mfn = { MFN_NONE, MFN_NONE } }, areas[2];
    mfn_t info;

    lock(&v->area_lock);
    areas[0] = v->runstate_area;
    areas[1] = v->time_area;
    v->runstate_area = v->time_area = none;
    info = v->info_mfn;
    v->info_mfn = MFN_NONE;
    atomic_store(&v->info, vcpu_info_home(v));
    unlock(&v->area_lock);

    area_put(&areas[0]);
    area_put(&areas[1]);
    if (mfn_same(info, MFN_NONE))
        return;
    /*
     * A sender on another CPU may have read the old v->info and be about to set a bit there. Sending does not
     * wait for anything in between, so a CPU that has answered a flush is through.
     */
    flush_tlbs(pcpu_online, FLUSH_PAGE, 0);
    frame_put_type(info);
}
