/* SPDX-License-Identifier: BSD-2-Clause */
/* vCPUs: made with their domain, given a context, read back, taken apart. */
#include "core/vcpu.h"

#include "core/domain.h"
#include "core/guest.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/port.h"
#include "core/pt.h"
#include "core/sched.h"
#include "core/trace.h"
#include "core/shadow.h"
#include "core/vcpu_area.h"
#include "core/vcpu_tables.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "x86/model/cpuid.h"
#include "x86/model/pte.h"
#include "x86/model/regs.h"

#include <stdatomic.h>
#include <xen/arch-x86/cpufeatureset.h>

#define DR6_FIXED 0xffff0ff0ull
#define DR7_FIXED 0x400ull
#define DR7_GENERAL_DETECT (1ull << 13)

/* ---- Made and unmade ---- */

/* Where what the machine keeps of a vCPU begins; and of both together, which are two pages of any processor, how many bytes. */
#define ARCH_AT ROUNDUP(sizeof(struct vcpu), (size_t)MACHINE_VCPU_ALIGN)
static size_t bytes(void) { return ARCH_AT + machine_vcpu_size(); }

int vcpu_create(struct domain *d, unsigned id)
{
    struct vcpu *v = hv_alloc(bytes());
    int rc;

    if (!v)
        return -ENOMEM;
    v->id = id;
    v->who = TRACE_WHO(d->id, id);
    v->domain = d;
    v->regs = &v->saved;
    v->pause = PAUSE_DOWN;
    v->root_kernel = v->root_user = v->shadow_root[0] = v->shadow_root[1] = MFN_NONE;
    v->dr[6] = DR6_FIXED;
    v->dr[7] = DR7_FIXED;
    v->kernel_mode = true;
    for (unsigned i = 0; i < GDT_GUEST_PAGES; i++)
        v->gdt[i] = MFN_NONE;
    for (unsigned i = 0; i < LDT_PAGES; i++)
        v->ldt[i] = MFN_NONE;
    v->arch = (struct machine_vcpu *)(void *)((uint8_t *)v + ARCH_AT);
    machine_vcpu_init(v);
    rc = sched_init_vcpu(v);
    if (rc)
        goto undo_alloc;
    rc = ports_init_vcpu(v);
    if (rc)
        goto undo_sched;
    lock(&d->pause_lock);
    v->pause |= d->pause_count ? PAUSE_DOMAIN : 0;
    d->vcpu[id] = v;
    unlock(&d->pause_lock);
    return 0;

undo_sched:
    sched_fini_vcpu(v);
undo_alloc:
    hv_free(v, bytes());
    return rc;
}

void vcpu_free(struct vcpu *v)
{
    v->domain->vcpu[v->id] = NULL;
    ports_fini_vcpu(v);
    sched_fini_vcpu(v);
    hv_free(v, bytes());
}

/* ---- Debug registers ---- */

uint64_t vcpu_get_debugreg(struct vcpu *v, unsigned nr)
{
    if (nr == 4 || nr == 5)
        nr += 2;
    return nr < 8 ? v->dr[nr] : 0;
}

/* No breakpoints on the hypervisor, on I/O, or on debug register accesses themselves. */
static int check_dr7(uint64_t value)
{
    if (value >> 32)
        return -EINVAL;
    if (value & DR7_GENERAL_DETECT)
        return -EPERM;
    for (unsigned i = 0; i < 4; i++) {
        unsigned kind = (unsigned)(value >> (16 + 4 * i)) & 3;

        if ((value >> (2 * i) & 3) && kind == 2)
            return -EPERM;
    }
    return 0;
}

int vcpu_set_debugreg(struct vcpu *v, unsigned nr, uint64_t value)
{
    int rc;

    switch (nr) {
    case 0: case 1: case 2: case 3:
        if (!va_range_guest(value, 8))
            return -EPERM;
        v->dr[nr] = value;
        break;
    case 4: case 6:
        if (value >> 32)
            return -EINVAL;
        v->dr[6] = (value & 0xe00full) | DR6_FIXED;
        break;
    case 5: case 7:
        rc = check_dr7(value);
        if (rc)
            return rc;
        v->dr[7] = (value & 0xffff03ffull) | DR7_FIXED;
        break;
    default:
        return -ENODEV;
    }
    if (v == current_vcpu())
        machine_load_control(v);
    return 0;
}

uint32_t vcpu_cr4(const struct vcpu *v, uint64_t value)
{
    uint32_t settable = CR4_TSD | CR4_DE | CR4_OSXSAVE;

    if (cpu_policy_has(v->domain->policy, XEN_X86_FEATURE_FSGSBASE))
        settable |= CR4_FSGSBASE;
    return (uint32_t)value & settable;
}

/* ---- Context ---- */

static struct callback callback(uint64_t va, bool mask) { return (struct callback){ va, mask }; }

static int check_context(const struct vcpu_guest_context *c)
{
    if (!va_canonical(c->event_callback_eip) || !va_canonical(c->failsafe_callback_eip) ||
        !va_canonical(c->syscall_callback_eip) || !va_canonical(c->fs_base) || !va_canonical(c->gs_base_kernel) ||
        !va_canonical(c->gs_base_user) || !va_canonical(c->user_regs.rip))
        return -EINVAL;
    if (c->gdt_ents > GDT_GUEST_ENTRIES || (c->ldt_ents && !vcpu_ldt_fits(c->ldt_base, c->ldt_ents)) || !c->ctrlreg[3])
        return -EINVAL;
    return check_dr7(c->debugreg[7] & 0xffffffffull);
}

/* Page tables and descriptor pages: what takes references. May be called again after -ERESTART. */
static int take_memory(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc = pt_set_root(v, maddr_mfn(c->ctrlreg[3]), false);

    if (rc == 0 && c->ctrlreg[1])
        rc = pt_set_root(v, maddr_mfn(c->ctrlreg[1]), true);
    if (rc == 0)
        rc = vcpu_set_gdt(v, c->gdt_frames, (unsigned)c->gdt_ents);
    return rc ? rc : vcpu_set_ldt(v, c->ldt_ents ? c->ldt_base : 0, (unsigned)c->ldt_ents);
}

static void take_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct cpu_regs *r = &v->saved;

    memcpy(r, &c->user_regs, sizeof(*r));
    r->error_code = 0;
    r->entry_vector = 0;
    r->cs = (uint16_t)(r->cs | 3);
    r->ss = r->ss & 0xfffc ? (uint16_t)(r->ss | 3) : FLAT_KERNEL_SS;
    r->rflags = (r->rflags & ~(X86_EFLAGS_IOPL | X86_EFLAGS_VM | X86_EFLAGS_NT)) | X86_EFLAGS_IF | X86_EFLAGS_MBS;
    v->iopl = (unsigned)(c->user_regs.rflags >> 12) & 3;
    v->ds = c->user_regs.ds;
    v->es = c->user_regs.es;
    v->fs = c->user_regs.fs;
    v->gs = c->user_regs.gs;
    v->fs_base = c->fs_base;
    v->gs_base_kernel = c->gs_base_kernel;
    v->gs_base_user = c->gs_base_user;
    v->kernel_ss = (uint16_t)(c->kernel_ss | 3);
    v->kernel_sp = c->kernel_sp;
    v->kernel_mode = !!(c->flags & VGCF_in_kernel);
    v->iopl = (unsigned)(c->user_regs.rflags >> 12) & 3; /* the real one stays 0: core/privop.c grants by it */
    v->cr0 = c->ctrlreg[0] & 8;
    v->cr4 = vcpu_cr4(v, c->ctrlreg[4]);
}

int vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc = check_context(c);

    if (rc)
        return rc;
    rc = take_memory(v, c);
    if (rc) {
        if (rc != -ERESTART)
            vcpu_reset(v);
        return rc;
    }
    take_registers(v, c);
    for (unsigned i = 0; i < 256; i++) {
        const struct trap_info *t = &c->trap_ctxt[i];

        v->traps[t->vector] = (struct trap_entry){ .va = t->address, .cs = t->cs, .flags = t->flags };
    }
    v->event_cb = callback(c->event_callback_eip, true);
    v->failsafe_cb = callback(c->failsafe_callback_eip, !!(c->flags & VGCF_failsafe_disables_events));
    v->syscall_cb = callback(c->syscall_callback_eip, !!(c->flags & VGCF_syscall_disables_events));
    for (unsigned i = 0; i < 4; i++)
        v->dr[i] = va_range_guest(c->debugreg[i], 8) ? c->debugreg[i] : 0;
    v->dr[6] = (c->debugreg[6] & 0xe00f) | DR6_FIXED;
    v->dr[7] = (c->debugreg[7] & 0xffff03ff) | DR7_FIXED;
    if (c->flags & VGCF_I387_VALID)
        machine_fpu_set(v, &c->fpu_ctxt, sizeof(c->fpu_ctxt));
    if (v->id == 0)
        v->domain->vm_assist |= (uint32_t)c->vm_assist & 0x2fu;
    v->initialised = true;
    return 0;
}

void vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    memset(c, 0, sizeof(*c));
    memcpy(&c->user_regs, &v->saved, sizeof(v->saved));
    c->user_regs.rflags |= (uint64_t)v->iopl << 12;
    c->user_regs.cs = (uint16_t)(v->kernel_mode ? v->saved.cs & ~3ull : v->saved.cs);
    c->user_regs.ds = v->ds;
    c->user_regs.es = v->es;
    c->user_regs.fs = v->fs;
    c->user_regs.gs = v->gs;
    c->user_regs.saved_upcall_mask = READ_ONCE(v->info->evtchn_upcall_mask);
    c->flags = VGCF_I387_VALID | (v->kernel_mode ? VGCF_in_kernel : 0) |
               (v->failsafe_cb.mask_events ? VGCF_failsafe_disables_events : 0) |
               (v->syscall_cb.mask_events ? VGCF_syscall_disables_events : 0) | (v->pause & PAUSE_DOWN ? 0 : VGCF_online);
    machine_fpu_get(v, &c->fpu_ctxt, sizeof(c->fpu_ctxt));
    for (unsigned i = 0; i < 256; i++)
        c->trap_ctxt[i] = (struct trap_info){ .vector = (uint8_t)i, .flags = v->traps[i].flags, .cs = v->traps[i].cs,
                                              .address = v->traps[i].va };
    c->ldt_base = v->ldt_va;
    c->ldt_ents = v->ldt_ents;
    for (unsigned i = 0; i < GDT_GUEST_PAGES; i++)
        c->gdt_frames[i] = mfn_same(v->gdt[i], MFN_NONE) ? 0 : v->gdt[i].n;
    c->gdt_ents = v->gdt_ents;
    c->kernel_ss = v->kernel_ss;
    c->kernel_sp = v->kernel_sp;
    c->ctrlreg[0] = 0x80050033 | v->cr0;
    c->ctrlreg[1] = mfn_same(v->root_user, MFN_NONE) ? 0 : mfn_maddr(v->root_user);
    c->ctrlreg[3] = mfn_same(v->root_kernel, MFN_NONE) ? 0 : mfn_maddr(v->root_kernel);
    c->ctrlreg[4] = v->cr4 | 0x660;
    memcpy(c->debugreg, v->dr, sizeof(v->dr));
    c->event_callback_eip = v->event_cb.va;
    c->failsafe_callback_eip = v->failsafe_cb.va;
    c->syscall_callback_eip = v->syscall_cb.va;
    c->vm_assist = v->domain->vm_assist;
    c->fs_base = v->fs_base;
    c->gs_base_kernel = v->gs_base_kernel;
    c->gs_base_user = v->gs_base_user;
}

static void drop_root(struct vcpu *v, mfn_t *root, bool user)
{
    mfn_t m = *root;

    if (mfn_same(m, MFN_NONE))
        return;
    *root = MFN_NONE;
    shadow_root_changed(v, user);
    frame_put_type(m);
}

void vcpu_let_go(struct vcpu *v)
{
    struct vcpu *me = current_vcpu();

    v->initialised = false;
    drop_root(v, &v->root_kernel, false);
    drop_root(v, &v->root_user, true);
    vcpu_drop_tables(v);
    vcpu_areas_drop(v);
    /* Tables that a vCPU queued and never came to undo: who lets it go does. */
    while (v->drain && v != me) {
        struct frame *f = &frame_table[v->drain];
        uint32_t rest = f->stamp;

        WRITE_ONCE(f->stamp, me->drain);
        me->drain = v->drain;
        v->drain = rest;
    }
}

void vcpu_reset(struct vcpu *v)
{
    vcpu_let_go(v);
    memset(v->traps, 0, sizeof(v->traps));
    v->event_cb = v->failsafe_cb = v->syscall_cb = v->syscall32_cb = v->sysenter_cb = v->nmi_cb = callback(0, false);
    v->nmi_pending = false;
    v->nmi_masked = false;
    v->iobitmap = 0;
    v->iopl = 0;
}

/* ---- The report of a crash ---- */

void vcpu_show(const struct vcpu *v, const struct cpu_regs *r)
{
    domid_t d = v->domain->id;

    hv_log(LOG_ERR, "d%uv%u: rip %04lx:%016lx rflags %08lx, %s mode, CPU %u", d, v->id, r->cs, r->rip, r->rflags,
           v->kernel_mode ? "kernel" : "user", v->cpu);
    hv_log(LOG_ERR, "d%uv%u: rax %016lx rbx %016lx rcx %016lx rdx %016lx", d, v->id, r->rax, r->rbx, r->rcx, r->rdx);
    hv_log(LOG_ERR, "d%uv%u: rsi %016lx rdi %016lx rbp %016lx rsp %04lx:%016lx", d, v->id, r->rsi, r->rdi, r->rbp, r->ss,
           r->rsp);
    hv_log(LOG_ERR, "d%uv%u: r8  %016lx r9  %016lx r10 %016lx r11 %016lx", d, v->id, r->r8, r->r9, r->r10, r->r11);
    hv_log(LOG_ERR, "d%uv%u: r12 %016lx r13 %016lx r14 %016lx r15 %016lx", d, v->id, r->r12, r->r13, r->r14, r->r15);
    hv_log(LOG_ERR, "d%uv%u: cr2 %016lx kernel root %#lx user root %#lx", d, v->id, v->info->arch.cr2, v->root_kernel.n,
           v->root_user.n);
}

void vcpu_report(struct vcpu *v)
{
    const struct cpu_regs *r = v->regs;
    uint64_t words[8];
    domid_t d = v->domain->id;

    vcpu_show(v, r);
    if (guest_read(words, gptr(r->rsp & ~7ull), sizeof(words))) {
        hv_log(LOG_ERR, "d%uv%u: its stack can't be read", d, v->id);
        return;
    }
    for (unsigned i = 0; i < 8; i += 4)
        hv_log(LOG_ERR, "d%uv%u: stack %016lx %016lx %016lx %016lx", d, v->id, words[i], words[i + 1], words[i + 2],
               words[i + 3]);
}
