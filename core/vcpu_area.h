/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of the guest that the hypervisor writes for a vCPU: its vcpu_info, runstate and time. A guest names
 * the areas by virtual address; they are resolved once, to frames that are held (general and WRITABLE
 * references) and to where each word is.
 *
 * v->area_lock covers the areas of v and the writing of them. v->info is read by any CPU without it.
 */
#ifndef CORE_VCPU_AREA_H
#define CORE_VCPU_AREA_H

#include "core/vcpu.h"

/* a's lock held. */
static inline bool area_registered(const struct guest_area *a) { return !mfn_same(a->mfn[0], MFN_NONE); }

static inline void area_store(area_word_t *const *to, unsigned i, uint64_t value)
{
    __atomic_store_n(to[i], value, __ATOMIC_RELEASE); /* after all earlier stores */
}

/*
 * a (an area of v) is now `size` bytes, AREA_WORDS words at most, at `va` of the current guest; va 0: nowhere. Alignment: 8. The old
 * frames are put. 0, -EFAULT, -EINVAL. It is not written yet.
 */
int vcpu_area_set(struct vcpu *v, struct guest_area *a, uint64_t va, size_t size);

/* VCPUOP_register_vcpu_info: moves v->info, once. 0, -EINVAL, -ENXIO (its place in the page), -ERESTART. */
int vcpu_info_register(struct vcpu *v, mfn_t m, uint32_t offset);

/* Puts all of these and leaves v->info in the shared info page. v is off its CPU and stays there. */
void vcpu_areas_drop(struct vcpu *v);

/* v's slot in the shared info page, or v->no_info for a vCPU that has none there. */
struct vcpu_info *vcpu_info_home(struct vcpu *v);

#endif
