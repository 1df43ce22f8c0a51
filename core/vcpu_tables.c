/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's GDT and LDT. Each frame holds a general and a SEG type reference from here on until it is replaced. */
#include "core/vcpu_tables.h"

#include "core/budget.h"
#include "core/domain.h"
#include "core/pcpu.h"
#include "core/pt.h"
#include "lib/errno.h"
#include "x86/model/desc.h"
#include "x86/model/pte.h"

static void put_all(mfn_t *frames, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!mfn_same(frames[i], MFN_NONE))
            frame_put_type(frames[i]);
        frames[i] = MFN_NONE;
    }
}

int vcpu_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned ents)
{
    unsigned n = DIV_ROUNDUP(ents, 512);
    mfn_t new[GDT_GUEST_PAGES], old[GDT_GUEST_PAGES];

    for (unsigned i = 0; i < GDT_GUEST_PAGES; i++)
        new[i] = MFN_NONE;
    for (unsigned i = 0; i < n; i++) {
        int rc = frame_get_type(v->domain, mfn(frames[i]), TYPE_SEG);

        budget_take(1);
        if (rc) {
            put_all(new, i);
            return rc;
        }
        new[i] = mfn(frames[i]);
    }
    for (unsigned i = 0; i < GDT_GUEST_PAGES; i++) {
        old[i] = v->gdt[i];
        v->gdt[i] = new[i];
    }
    v->gdt_ents = ents;
    if (v == current_vcpu())
        machine_load_gdt(v);
    put_all(old, GDT_GUEST_PAGES);
    return 0;
}

/* The frame that maps va, taken as a descriptor page; false, and *out stays, if there is none or it can't be one. */
static bool ldt_page(struct vcpu *v, uint64_t va, mfn_t *out)
{
    uint64_t e;

    if (!pt_read_l1(v, va, &e) || !(e & PTE_P) || frame_get_type(v->domain, mfn(pte_mfn(e)), TYPE_SEG))
        return false;
    *out = mfn(pte_mfn(e));
    return true;
}

bool vcpu_ldt_fits(uint64_t va, uint64_t ents)
{
    return ents <= 8192 && !(va & (PAGE_SIZE - 1)) && va_range_guest(va, ents * 8);
}

int vcpu_set_ldt(struct vcpu *v, uint64_t va, unsigned ents)
{
    mfn_t new[LDT_PAGES], old[LDT_PAGES];

    if (!vcpu_ldt_fits(va, ents))
        return -EINVAL;
    for (unsigned i = 0; i < LDT_PAGES; i++)
        new[i] = MFN_NONE;
    for (unsigned i = 0; i < DIV_ROUNDUP(ents, 512); i++) {
        (void)ldt_page(v, va + i * PAGE_SIZE, &new[i]);
        budget_take(1);
    }
    for (unsigned i = 0; i < LDT_PAGES; i++) {
        old[i] = v->ldt[i];
        v->ldt[i] = new[i];
    }
    v->ldt_va = va;
    v->ldt_ents = ents;
    if (v == current_vcpu())
        machine_load_ldt(v);
    put_all(old, LDT_PAGES);
    return 0;
}

bool vcpu_ldt_fault(struct vcpu *v, uint32_t error)
{
    unsigned page = (error >> 3 & 0x1fff) / 512;

    if ((error & 7) != SEL_LDT || page >= DIV_ROUNDUP(v->ldt_ents, 512) || !mfn_same(v->ldt[page], MFN_NONE) ||
        !ldt_page(v, v->ldt_va + page * PAGE_SIZE, &v->ldt[page]))
        return false;
    machine_load_ldt(v);
    return true;
}

void vcpu_drop_tables(struct vcpu *v)
{
    put_all(v->gdt, DIV_ROUNDUP(v->gdt_ents, 512));
    put_all(v->ldt, DIV_ROUNDUP(v->ldt_ents, 512));
    v->gdt_ents = v->ldt_ents = 0;
    v->ldt_va = 0;
}
