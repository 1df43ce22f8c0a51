/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of the guest that the hypervisor writes for a vCPU: its vcpu_info, runstate and time. A guest names
 * the areas by virtual address; they are resolved to frames once, and the frames held (general and WRITABLE
 * references).
 *
 * v->area_lock covers the areas of v and the writing of them. v->info is read by any CPU without it.
 */
#ifndef CORE_VCPU_AREA_H
#define CORE_VCPU_AREA_H

#include "core/vcpu.h"

/* Areas are written by aligned words, each with one store; they alias whatever the guest has there. */
typedef uint64_t __attribute__((may_alias)) area_word_t;
typedef uint32_t __attribute__((may_alias)) area_word32_t;

#define AREA_WORDS 6
struct area_words { area_word_t *w[AREA_WORDS]; };

/* Where the n words of a are; false if it is not registered. a's lock held. */
bool area_words(struct area_words *out, const struct guest_area *a, unsigned n);
/* The same of one piece of memory. */
void area_words_of(struct area_words *out, void *at, unsigned n);

static inline void area_store(const struct area_words *to, unsigned i, uint64_t value)
{
    __atomic_store_n(to->w[i], value, __ATOMIC_RELEASE); /* after all earlier stores */
}

/*
 * a (an area of v) is now `size` bytes at `va` of the current guest; va 0: nowhere. Alignment: 8. The old
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
