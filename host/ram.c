/* SPDX-License-Identifier: BSD-2-Clause */
/* RAM: an arena of frames that become untouchable while they are in the allocator; the frame table and the M2P. */
#include "host/inside.h"

#include "core/log.h"
#include "core/m2p.h"
#include "core/reservation.h"
#include "x86/model/pte.h"

#include <sanitizer/asan_interface.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static uint8_t *ram;
static uint64_t *m2p;
static bool *poisoned;

struct e820entry *machine_e820;
unsigned machine_e820_count;

/* The M2P lies in frames of its own at the end of RAM, as it does on silicon; those belong to the hypervisor. */
void host_ram_init(uint64_t frames)
{
    static struct e820entry map[1];
    uint64_t m2p_frames = ROUNDUP(DIV_ROUNDUP(frames * sizeof(*m2p), PAGE_SIZE), (uint64_t)M2P_CHUNK);
    uint64_t all = ROUNDUP(frames, (uint64_t)M2P_CHUNK) + m2p_frames, size = (all + 2) << PAGE_SHIFT;
    uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED || mprotect(at, PAGE_SIZE, PROT_NONE) || mprotect(at + size - PAGE_SIZE, PAGE_SIZE, PROT_NONE))
        abort();
    ram = at + PAGE_SIZE;
    frame_count = all;
    frame_table = calloc(all, sizeof(*frame_table));
    poisoned = calloc(all, sizeof(*poisoned));
    m2p = (uint64_t *)(void *)(ram + ((all - m2p_frames) << PAGE_SHIFT));
    memset(m2p, 0xff, m2p_frames << PAGE_SHIFT);
    for (uint64_t i = 0; i < all; i++)
        frame_table[i].owner = DOMID_IO;
    for (uint64_t i = 1; i < frames; i++)
        frame_table[i].owner = DOMID_XEN;
    for (uint64_t i = all - m2p_frames; i < all; i++) {
        frame_table[i].owner = DOMID_XEN;
        frame_table[i].refs = 1;
    }
    frames_add(mfn(1), mfn(frames));
    map[0] = (struct e820entry){ .addr = 0, .size = frames << PAGE_SHIFT, .type = 1 };
    machine_e820 = map;
    machine_e820_count = 1;
}

/* Nobody may touch it: free, and not on its way to be cleared. */
static bool untouchable(const struct frame *f)
{
    return (atomic_load(&f->refs) & (REFS_FREE | REFS_SCRUB)) == REFS_FREE;
}

/* A frame comes out of the allocator with other people's data, or is cleared there. */
static void unpoison(mfn_t m)
{
    if (!poisoned[m.n] || untouchable(frame_of(m)))
        return;
    poisoned[m.n] = false;
    ASAN_UNPOISON_MEMORY_REGION(ram + mfn_maddr(m), PAGE_SIZE);
    memset(ram + mfn_maddr(m), 0xa5, PAGE_SIZE);
}

void host_ram_poison(void)
{
    for (uint64_t i = 1; i < frame_count; i++) {
        if (!untouchable(&frame_table[i])) {
            unpoison(mfn(i));
        } else if (!poisoned[i] && (frame_table[i].refs & REFS_DIRTY)) {
            poisoned[i] = true;
            ASAN_POISON_MEMORY_REGION(ram + (i << PAGE_SHIFT), PAGE_SIZE);
        }
    }
}

/* Whoever got a block unpoisons all of it by its first frame: the others follow it as they come out of the allocator. */
void *machine_frame(mfn_t m)
{
    if (!mfn_is_ram(m))
        return NULL;
    for (uint64_t i = m.n; i < frame_count && poisoned[i] && !untouchable(&frame_table[i]); i++)
        unpoison(mfn(i));
    return ram + mfn_maddr(m);
}

mfn_t machine_frame_mfn(const void *p)
{
    const uint8_t *at = p;

    if (at < ram || at >= ram + (frame_count << PAGE_SHIFT))
        panic("not a pointer into RAM: %p", p);
    return mfn((uint64_t)(at - ram) >> PAGE_SHIFT);
}

uint64_t *machine_m2p(void) { return m2p; }

mfn_t machine_m2p_chunk(unsigned i)
{
    return mfn_plus(machine_frame_mfn(m2p), (uint64_t)i * M2P_CHUNK);
}

/* The hypervisor's slots lead to nothing that a walk of the guest's may follow: present, and a frame that is no RAM. */
void machine_root_init(uint64_t *root)
{
    for (unsigned i = PT_HV_SLOT_FIRST; i <= PT_HV_SLOT_LAST; i++)
        root[i] = PTE_P | PTE_RW;
}
