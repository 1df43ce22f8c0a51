/* SPDX-License-Identifier: BSD-2-Clause */
/* Hypercalls about the calling vCPU itself: trap table, callbacks, descriptors, segments, debug and control registers, iret. */
#include "abi/handlers.h"
#include "abi/hypercall.h"
#include "core/bounce.h"
#include "core/budget.h"
#include "core/dirty.h"
#include "core/pt.h"
#include "core/vcpu_tables.h"
#include "lib/string.h"
#include "x86/model/desc.h"
#include "x86/model/pte.h"

#include <xen/callback.h>

#define CR0_TS 8u

/* set_trap_table(traps): entries until one with address 0; NULL clears the table. */
long do_set_trap_table(struct hypercall *hc)
{
    struct vcpu *v = hc->v;
    uint64_t at = hc->arg[0];

    if (!at) {
        memset(v->traps, 0, sizeof(v->traps));
        return 0;
    }
    /* More than 256 entries would only set some again. */
    for (unsigned n = 0; n < 256; n++, at += sizeof(struct trap_info)) {
        struct trap_info t;

        budget_take(1);
        if (guest_read(&t, gptr(at), sizeof(t)))
            return -EFAULT;
        if (!t.address)
            return 0;
        v->traps[t.vector] = (struct trap_entry){ .va = t.address, .cs = t.cs, .flags = t.flags };
    }
    return 0;
}

static struct callback *callback_of(struct vcpu *v, unsigned type)
{
    switch (type) {
    case CALLBACKTYPE_event:     return &v->event_cb;
    case CALLBACKTYPE_failsafe:  return &v->failsafe_cb;
    case CALLBACKTYPE_syscall:   return &v->syscall_cb;
    case CALLBACKTYPE_syscall32: return &v->syscall32_cb;
    case CALLBACKTYPE_sysenter:  return &v->sysenter_cb;
    case CALLBACKTYPE_nmi:       return &v->nmi_cb;
    default:                     return NULL;
    }
}

static long set_callback(struct vcpu *v, unsigned type, uint64_t va, unsigned flags)
{
    struct callback *cb = callback_of(v, type);

    if (!cb)
        return -ENOSYS;
    if (!va_canonical(va))
        return refuse(v, -EINVAL, "callback %u at %#lx is not canonical", type, va);
    *cb = (struct callback){ .va = va, .mask_events = type == CALLBACKTYPE_event || (flags & CALLBACKF_mask_events) };
    if (type == CALLBACKTYPE_nmi)
        v->traps[X86_VEC_NMI] = (struct trap_entry){ .va = va, .cs = FLAT_KERNEL_CS };
    return 0;
}

static long callback_register(struct hypercall *hc, void *arg)
{
    const struct callback_register *r = arg;

    return set_callback(hc->v, r->type, r->address, r->flags);
}

static long callback_unregister(struct hypercall *hc, void *arg)
{
    const struct callback_unregister *r = arg;
    struct callback *cb = callback_of(hc->v, r->type);

    if (!cb)
        return -ENOSYS;
    if (r->type != CALLBACKTYPE_nmi)
        return -EINVAL;
    *cb = (struct callback){ 0 };
    hc->v->traps[X86_VEC_NMI].va = 0;
    return 0;
}

long do_callback_op(struct hypercall *hc)
{
    static const struct subop rows[] = {
#define ROW SUBOP_ROW
#include "abi/table/callback_op.def"
#undef ROW
    };

    return subop_run(hc, rows, ARRAY_SIZE(rows), hc->arg[0], gptr(hc->arg[1]));
}

/* set_callbacks(event, failsafe, syscall): the older form of three callback_ops. */
long do_set_callbacks(struct hypercall *hc)
{
    struct vcpu *v = hc->v;

    if (!va_canonical(hc->arg[0]) || !va_canonical(hc->arg[1]) || !va_canonical(hc->arg[2]))
        return -EINVAL;
    v->event_cb = (struct callback){ hc->arg[0], true };
    v->failsafe_cb.va = hc->arg[1];
    v->syscall_cb.va = hc->arg[2];
    return 0;
}

/* set_gdt(frame list, entries) */
long do_set_gdt(struct hypercall *hc)
{
    uint64_t frames[GDT_GUEST_PAGES];
    uint64_t ents = (uint32_t)hc->arg[1];

    if (ents > GDT_GUEST_ENTRIES)
        return refuse(hc->v, -EINVAL, "GDT of %lu entries, at most %u", ents, GDT_GUEST_ENTRIES);
    if (ents && guest_read(frames, gptr(hc->arg[0]), DIV_ROUNDUP(ents, 512) * sizeof(frames[0])))
        return -EFAULT;
    return vcpu_set_gdt(hc->v, frames, (unsigned)ents);
}

/* update_descriptor(machine address, descriptor): in a page in use as a descriptor table, or in any page of the guest's own. */
long do_update_descriptor(struct hypercall *hc)
{
    uint64_t maddr = hc->arg[0], desc = hc->arg[1];
    mfn_t m = maddr_mfn(maddr);
    enum frame_type type = TYPE_WRITABLE;
    int rc;

    if ((maddr & 7) || !desc_fix(&desc))
        return refuse(hc->v, -EINVAL, "descriptor %#lx at %#lx", hc->arg[1], maddr);
    if (!frame_get(m, hc->d->id))
        return -EINVAL;
    if (type_of(frame_of(m)->type) == TYPE_SEG)
        type = TYPE_SEG;
    rc = type_get(hc->d, m, type);
    if (rc) {
        frame_put(m);
        return rc == -ERESTART ? rc : refuse(hc->v, -EINVAL, "descriptor at %#lx: in a page of another use", maddr);
    }
    WRITE_ONCE(((uint64_t *)machine_frame(m))[(maddr & (PAGE_SIZE - 1)) / 8], desc);
    dirty_mark(hc->d, m);
    frame_put_type(m);
    return 0;
}

long do_stack_switch(struct hypercall *hc)
{
    hc->v->kernel_ss = (uint16_t)(hc->arg[0] | 3);
    hc->v->kernel_sp = hc->arg[1];
    return 0;
}

long do_set_segment_base(struct hypercall *hc)
{
    struct vcpu *v = hc->v;
    uint64_t base = hc->arg[1];

    if (hc->arg[0] == SEGBASE_GS_USER_SEL)
        return machine_set_gs(v, (uint16_t)base) ? 0 : -EINVAL;
    if (!va_canonical(base))
        return refuse(v, -EINVAL, "segment base %#lx is not canonical", base);
    switch (hc->arg[0]) {
    case SEGBASE_FS:
    case SEGBASE_GS_USER:
    case SEGBASE_GS_KERNEL:
        machine_set_segbase(v, (unsigned)hc->arg[0], base);
        return 0;
    default:
        return -EINVAL;
    }
}

long do_fpu_taskswitch(struct hypercall *hc)
{
    hc->v->cr0 = hc->arg[0] ? CR0_TS : 0;
    machine_load_control(hc->v);
    return 0;
}

long do_set_debugreg(struct hypercall *hc)
{
    return vcpu_set_debugreg(hc->v, (unsigned)MIN(hc->arg[0], 8ul), hc->arg[1]);
}

long do_get_debugreg(struct hypercall *hc)
{
    if (hc->arg[0] > 7)
        return -EINVAL;
    return (long)vcpu_get_debugreg(hc->v, (unsigned)hc->arg[0]);
}

long do_iret(struct hypercall *hc)
{
    if (hc->in_multicall)
        return -EINVAL;
    hc->no_result = true;
    bounce_iret(hc->v);
    return 0;
}

/* vm_assist(command, type): the types that a 64-bit PV guest can have. */
long do_vm_assist(struct hypercall *hc)
{
    const uint32_t valid = 1u << VMASST_TYPE_4gb_segments_notify | 1u << VMASST_TYPE_writable_pagetables |
                           1u << VMASST_TYPE_pae_extended_cr3 | 1u << VMASST_TYPE_architectural_iopl |
                           1u << VMASST_TYPE_runstate_update_flag;
    uint64_t type = hc->arg[1];

    if (hc->arg[0] != VMASST_CMD_enable && hc->arg[0] != VMASST_CMD_disable)
        return -ENOSYS;
    if (type > 31 || !(valid >> type & 1))
        return -EINVAL;
    lock(&hc->d->lock);
    if (hc->arg[0] == VMASST_CMD_enable)
        hc->d->vm_assist |= 1u << type;
    else
        hc->d->vm_assist &= ~(1u << type);
    unlock(&hc->d->lock);
    return 0;
}
