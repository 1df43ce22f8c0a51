/* SPDX-License-Identifier: BSD-2-Clause */
/* Privileged instructions of PV guests: what x86/model/emulate.h asks of the world, answered for one vCPU. */
#include "core/privop.h"

#include "core/bounce.h"
#include "core/domain.h"
#include "core/guest.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/pt.h"
#include "core/time.h"
#include "core/trace.h"
#include "core/vcpu.h"
#include "x86/model/desc.h"
#include "x86/model/emulate.h"
#include "x86/model/msr.h"
#include "x86/model/pte.h"
#include "x86/model/regs.h"

#define CR0_TS 8ull
#define CR0_GUEST 0x80050033ull /* PG AM WP NE ET MP PE: what a PV guest sees set */
#define STRING_BUDGET 64u
#define NOT_YET 0xffu /* as a vector: no exception, the guest runs the instruction again */

/* ---- Ports ---- */

/* By I/O privilege (guest kernel: 1 and more, user: 3), or by the guest's own bitmap, which is in kernel memory. */
static bool port_allowed(struct vcpu *v, unsigned port, unsigned bytes)
{
    bool allowed = v->iobitmap != 0, mode = v->kernel_mode;

    if (v->iopl >= (mode ? 1u : 3u))
        return true;
    machine_set_mode(v, true);
    for (unsigned i = 0; allowed && i < bytes; i++) {
        uint8_t bits;

        if (port + i >= v->iobitmap_ports || guest_read(&bits, gptr(v->iobitmap + (port + i) / 8), 1) ||
            (bits >> (port + i) % 8 & 1))
            allowed = false;
    }
    machine_set_mode(v, mode);
    return allowed;
}

static bool port_read(void *c, uint16_t port, unsigned size, uint32_t *val, struct emul_fault *f)
{
    struct vcpu *v = c;
    struct domain *d = v->domain;

    if (!port_allowed(v, port, size))
        return false;
    *val = ~0u >> (32 - 8 * size);
    if (port == 0xcf8 && size == 4 && d->all_io)
        *val = d->pci_address;
    else if ((port & ~3u) == 0xcfc && (port & 3u) + size <= 4 && d->all_io)
        *val = machine_pci_read(d->pci_address, port, size);
    else if (domain_may_port(d, port, size))
        *val = machine_port_read(port, size);
    return true;
}

static bool port_write(void *c, uint16_t port, unsigned size, uint32_t val, struct emul_fault *f)
{
    struct vcpu *v = c;
    struct domain *d = v->domain;

    if (!port_allowed(v, port, size))
        return false;
    if (port == 0xcf8 && size == 4 && d->all_io)
        d->pci_address = val;
    else if ((port & ~3u) == 0xcfc && (port & 3u) + size <= 4 && d->all_io)
        machine_pci_write(d->pci_address, port, size, val);
    else if (domain_may_port(d, port, size))
        machine_port_write(port, size, val);
    return true;
}

/* ---- MSRs ---- */

static bool msr_value(void *c, uint32_t msr, uint64_t *val)
{
    struct vcpu *v = c;

    switch (msr) {
    case MSR_IA32_TSC:
        *val = machine_tsc();
        return true;
    case MSR_FS_BASE:
        *val = machine_segbase(v, SEGBASE_FS);
        return true;
    case MSR_GS_BASE:
        *val = machine_segbase(v, SEGBASE_GS_KERNEL);
        return true;
    case MSR_KERNEL_GS_BASE:
        *val = machine_segbase(v, SEGBASE_GS_USER);
        return true;
    default:
        return machine_msr_read(msr, val);
    }
}

static bool msr_set(void *c, uint32_t msr, uint64_t val)
{
    struct vcpu *v = c;

    switch (msr) {
    case MSR_FS_BASE:
        machine_set_segbase(v, SEGBASE_FS, val);
        return true;
    case MSR_GS_BASE:
        machine_set_segbase(v, SEGBASE_GS_KERNEL, val);
        return true;
    case MSR_KERNEL_GS_BASE:
        machine_set_segbase(v, SEGBASE_GS_USER, val);
        return true;
    case MSR_IA32_PRED_CMD:
        return machine_msr_write(msr, val);
    default:
        return false;
    }
}

static struct msr_env msr_env(struct vcpu *v)
{
    return (struct msr_env){ .policy = v->domain->policy, .control_domain = domain_may(v->domain, PRIV_HARDWARE),
                             .vcpu = v->id, .read = msr_value, .write = msr_set, .cookie = v };
}

static bool read_msr(void *c, uint32_t msr, uint64_t *val, struct emul_fault *f)
{
    struct vcpu *v = c;
    struct msr_env env = msr_env(v);

    return v->kernel_mode && msr_guest_read(&env, msr, val);
}

static bool write_msr(void *c, uint32_t msr, uint64_t val, struct emul_fault *f)
{
    struct vcpu *v = c;
    struct msr_env env = msr_env(v);

    return v->kernel_mode && msr_guest_write(&env, msr, val);
}

/* ---- Control and debug registers ---- */

static bool read_cr(void *c, unsigned nr, uint64_t *val, struct emul_fault *f)
{
    struct vcpu *v = c;

    switch (nr) {
    case 0:
        *val = CR0_GUEST | (v->cr0 & CR0_TS);
        return true;
    case 2:
        *val = READ_ONCE(v->info->arch.cr2);
        return true;
    case 3:
        *val = mfn_maddr(v->root_kernel);
        return true;
    case 4:
        *val = v->cr4 | 0x660;
        return true;
    default:
        return false;
    }
}

/* Validating a new root can outlive the budget. */
static bool write_cr3(struct vcpu *v, uint64_t val, struct emul_fault *f)
{
    mfn_t root = maddr_mfn(val & PTE_ADDR);
    int rc = pt_set_root(v, root, false);

    if (rc == -ERESTART)
        f->vector = NOT_YET;
    return rc == 0;
}

static bool write_cr(void *c, unsigned nr, uint64_t val, struct emul_fault *f)
{
    struct vcpu *v = c;

    switch (nr) {
    case 0:
        v->cr0 = val & CR0_TS;
        machine_load_control(v);
        return true;
    case 2:
        WRITE_ONCE(v->info->arch.cr2, val);
        return true;
    case 3:
        return write_cr3(v, val, f);
    case 4:
        v->cr4 = vcpu_cr4(v, val);
        machine_load_control(v);
        return true;
    default:
        return false;
    }
}

static bool read_dr(void *c, unsigned nr, uint64_t *val, struct emul_fault *f)
{
    *val = vcpu_get_debugreg(c, nr);
    return true;
}

static bool write_dr(void *c, unsigned nr, uint64_t val, struct emul_fault *f)
{
    return vcpu_set_debugreg(c, nr, val) == 0;
}

static bool read_xcr(void *c, uint32_t nr, uint64_t *val, struct emul_fault *f)
{
    struct vcpu *v = c;

    *val = v->xcr0;
    return nr == 0;
}

static bool write_xcr(void *c, uint32_t nr, uint64_t val, struct emul_fault *f)
{
    struct vcpu *v = c;

    if (!(v->cr4 & CR4_OSXSAVE)) {
        f->vector = X86_VEC_UD;
        return false;
    }
    if (nr || !(val & 1) || ((val & 4) && !(val & 2)) || (val & ~cpu_policy_xcr0(v->domain->policy)))
        return false;
    if ((val & 0xe0) && (val & 0xe6) != 0xe6)
        return false;
    v->xcr0 = val;
    machine_load_control(v);
    return true;
}

static bool read_tsc(void *c, uint64_t *tsc, uint32_t *aux, struct emul_fault *f)
{
    *tsc = machine_tsc();
    *aux = 0;
    return true;
}

void privop_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
    /* A PV kernel uses XSAVE only where it finds it switched on by the hypervisor, as it is. */
    struct cpuid_env env = {
        .osxsave = true, .xcr0 = v->xcr0, .maddr_bits = machine_maddr_bits(),
        .tsc_mode = v->domain->tsc_mode, .tsc_reliable = time_stable(),
        .guest_khz = (uint32_t)time_tsc_khz(), .host_khz = (uint32_t)time_tsc_khz(),
    };

    cpuid_guest(v->domain->policy, &env, leaf, subleaf, out);
}

static void op_cpuid(void *c, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
    privop_cpuid(c, leaf, subleaf, out);
}

/* ---- Memory for string I/O ---- */

static bool page_fault(struct emul_fault *f, uint64_t va, uint32_t code)
{
    f->vector = X86_VEC_PF;
    f->error_code = code;
    f->cr2 = va;
    return false;
}

static bool copy_from(void *c, void *to, uint64_t va, unsigned len, struct emul_fault *f)
{
    return guest_read(to, gptr(va), len) ? page_fault(f, va, 0) : true;
}

static bool copy_to(void *c, uint64_t va, const void *from, unsigned len, struct emul_fault *f)
{
    return guest_write(gptr(va), from, len) ? page_fault(f, va, X86_PFEC_WRITE) : true;
}

/* Writable is what can be read and written back in place. */
static bool probe_write(void *c, uint64_t va, unsigned len, struct emul_fault *f)
{
    for (unsigned i = 0; i < len; i++) {
        uint64_t old = 0;

        if (machine_cmpxchg_guest(gptr(va + i), &old, old, 1))
            return page_fault(f, va + i, X86_PFEC_WRITE);
    }
    return true;
}

static const struct emul_ops ops = {
    .port_read = port_read, .port_write = port_write,
    .read_msr = read_msr, .write_msr = write_msr,
    .read_cr = read_cr, .write_cr = write_cr, .read_dr = read_dr, .write_dr = write_dr,
    .read_xcr = read_xcr, .write_xcr = write_xcr, .read_tsc = read_tsc, .cpuid = op_cpuid,
    .copy_from = copy_from, .copy_to = copy_to, .probe_write = probe_write,
};

/* ---- The instruction at rip ---- */

/* Up to 15 bytes; fewer where the next page is not there. */
static __attribute__((noinline)) unsigned fetch_bytes(struct vcpu *v, uint8_t bytes[INSN_MAX_BYTES])
{
    uint64_t rip = v->regs->rip;
    unsigned first = (unsigned)MIN((uint64_t)INSN_MAX_BYTES, PAGE_SIZE - (rip & (PAGE_SIZE - 1)));

    if (guest_read(bytes, gptr(rip), first))
        return 0;
    if (first < INSN_MAX_BYTES && guest_read(bytes + first, gptr(rip + first), INSN_MAX_BYTES - first))
        return first;
    return INSN_MAX_BYTES;
}

#define FETCH_BYTES 16u /* whole words, of which INSN_MAX_BYTES count */

/* The same, and in whole words where they are not the end of the page. */
static inline unsigned fetch(struct vcpu *v, uint8_t bytes[FETCH_BYTES])
{
    uint64_t rip = v->regs->rip;

    if (unlikely(rip % PAGE_SIZE > PAGE_SIZE - FETCH_BYTES))
        return fetch_bytes(v, bytes);
    return guest_read(bytes, gptr(rip), FETCH_BYTES) ? 0 : INSN_MAX_BYTES;
}

/* Bases matter for FS and GS only; 32-bit code can't be 64-bit PV kernel code and has flat segments in practice. */
static void decode_context(struct vcpu *v, struct decode_ctx *ctx, bool code64)
{
    *ctx = (struct decode_ctx){ .regs = v->regs, .code64 = code64 };
    ctx->seg_base[SEG_FS] = machine_segbase(v, SEGBASE_FS);
    ctx->seg_base[SEG_GS] = machine_segbase(v, v->kernel_mode ? SEGBASE_GS_KERNEL : SEGBASE_GS_USER);
}

bool privop_decode(struct vcpu *v, struct insn *out)
{
    uint8_t bytes[FETCH_BYTES];
    struct decode_ctx ctx;
    unsigned n = fetch(v, bytes);

    if (n == INSN_MAX_BYTES && insn_decode_plain(out, bytes, v->regs))
        return true;
    decode_context(v, &ctx, true);
    return n && insn_decode(out, bytes, n, &ctx) == INSN_OK;
}

bool privop_code64(const struct vcpu *v)
{
    unsigned sel = (unsigned)v->regs->cs, index = SEL_INDEX(sel);
    const mfn_t *frames = sel & SEL_LDT ? v->ldt : v->gdt;
    unsigned count = sel & SEL_LDT ? v->ldt_ents : v->gdt_ents;

    if ((sel & ~3u) >= (FLAT_RING3_CS32 & ~3u) && !(sel & SEL_LDT))
        return (sel & ~3u) == (FLAT_RING3_CS64 & ~3u);
    if (index >= count || mfn_same(frames[index / 512], MFN_NONE))
        return false;
    return ((uint64_t *)machine_frame(frames[index / 512]))[index % 512] & DESC_L;
}

void privop_single_step(struct vcpu *v)
{
    v->dr[6] |= 1u << 14;
    bounce_trap(v, X86_VEC_DB, NO_ERROR_CODE);
}

static void fault(struct vcpu *v, const struct emul_fault *f)
{
    bool has_code = X86_VEC_HAS_ERROR >> f->vector & 1;

    if (f->vector == X86_VEC_PF)
        bounce_page_fault(v, f->cr2, f->error_code | (v->kernel_mode ? 0 : X86_PFEC_USER));
    else
        bounce_trap(v, f->vector, has_code ? f->error_code : NO_ERROR_CODE);
}

/* IN and OUT of a byte or a doubleword. */
static bool plain_in(struct vcpu *v, uint64_t port, unsigned size)
{
    struct emul_fault f;
    uint32_t val = 0;

    if (!port_read(v, (uint16_t)port, size, &val, &f))
        return false;
    v->regs->rax = size == 1 ? (v->regs->rax & ~0xffull) | val : val;
    return true;
}

static bool plain_out(struct vcpu *v, uint64_t port, unsigned size)
{
    struct emul_fault f;

    return port_write(v, (uint16_t)port, size, (uint32_t)v->regs->rax & (~0u >> (32 - 8 * size)), &f);
}

static bool plain_rdmsr(struct vcpu *v)
{
    struct emul_fault f;
    uint64_t val = 0;

    if (!read_msr(v, (uint32_t)v->regs->rcx, &val, &f))
        return false;
    v->regs->rax = (uint32_t)val;
    v->regs->rdx = val >> 32;
    return true;
}

static bool plain_wrmsr(struct vcpu *v)
{
    struct emul_fault f;

    return write_msr(v, (uint32_t)v->regs->rcx, v->regs->rdx << 32 | (uint32_t)v->regs->rax, &f);
}

static bool plain_clts(struct vcpu *v)
{
    struct emul_fault f;

    return write_cr(v, 0, 0, &f);
}

/* From a control register, without REX: those up to 7 that there are. */
static bool plain_read_cr(struct vcpu *v, uint8_t modrm)
{
    struct emul_fault f;

    return read_cr(v, modrm >> 3 & 7, cpu_reg(v->regs, modrm & 7), &f);
}

/* How long the instruction is, which was done; 0: it was not. */
static unsigned plain(struct vcpu *v, const uint8_t *bytes)
{
    switch (bytes[0]) {
    case 0xe4: return plain_in(v, bytes[1], 1) ? 2 : 0;
    case 0xe5: return plain_in(v, bytes[1], 4) ? 2 : 0;
    case 0xe6: return plain_out(v, bytes[1], 1) ? 2 : 0;
    case 0xe7: return plain_out(v, bytes[1], 4) ? 2 : 0;
    case 0xec: return plain_in(v, v->regs->rdx, 1);
    case 0xed: return plain_in(v, v->regs->rdx, 4);
    case 0xee: return plain_out(v, v->regs->rdx, 1);
    case 0xef: return plain_out(v, v->regs->rdx, 4);
    case 0x0f: break;
    default:   return 0;
    }
    switch (bytes[1]) {
    case 0x06: return plain_clts(v) ? 2 : 0;
    case 0x20: return plain_read_cr(v, bytes[2]) ? 3 : 0;
    case 0x30: return plain_wrmsr(v) ? 2 : 0;
    case 0x32: return plain_rdmsr(v) ? 2 : 0;
    default:   return 0;
    }
}

bool privop_plain(struct vcpu *v)
{
    struct cpu_regs *r = v->regs;
    uint8_t bytes[8]; /* copied faster than the three that may matter; where they are not all there, it is not plain */
    uint64_t rip = r->rip;
    unsigned length;

    if ((r->rflags & X86_EFLAGS_TF) || guest_read(bytes, gptr(rip), sizeof(bytes)))
        return false;
    length = plain(v, bytes);
    if (!length)
        return false;
    (void)emul_step_over(r, length, true);
    perf_count(PERF_PRIVOPS);
    trace(TRC_PV_EMULATE_PRIVOP | TRC_64_FLAG, 2, rip, 0, 0, 0);
    return true;
}

bool privop_emulate(struct vcpu *v, bool code64)
{
    uint8_t bytes[FETCH_BYTES];
    struct insn insn;
    struct emul_ctx ctx = { .ops = &ops, .cookie = v, .regs = v->regs, .kernel = v->kernel_mode, .budget = STRING_BUDGET };
    unsigned n = fetch(v, bytes);
    uint64_t rip = v->regs->rip;

    decode_context(v, &ctx.decode, code64);
    if (!n || insn_decode(&insn, bytes, n, &ctx.decode) != INSN_OK || insn_is_store(&insn))
        return false;
    switch (emul_privop(&ctx, &insn, insn.length)) {
    case EMUL_DONE:
        perf_count(PERF_PRIVOPS);
        trace(TRC_PV_EMULATE_PRIVOP | TRC_64_FLAG, 2, rip, 0, 0, 0);
        if (ctx.single_step)
            privop_single_step(v);
        return true;
    case EMUL_AGAIN:
        return true;
    case EMUL_FAULT:
        if (ctx.fault.vector == NOT_YET)
            return true;
        if (ctx.fault.vector == X86_VEC_GP)
            guest_log(v->domain, LOG_DEBUG, "vCPU%u: #GP for instruction %02x %02x %02x at %#lx (rcx %#lx)", v->id, bytes[0],
                      bytes[1], bytes[2], v->regs->rip, v->regs->rcx);
        fault(v, &ctx.fault);
        return true;
    default:
        return false;
    }
}

/* Does the leaf stay as it is once the vCPU has run? Not with XCR0, TSC mode and clock: those of XSAVE and of the hypervisor. */
static bool cpuid_stays(uint32_t leaf)
{
    return leaf != 0xd && leaf >> 28 != 4;
}

/* privop_cpuid(), from what it said before if that is still there. */
static void cpuid_by_memory(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
    struct cpuid_known *k = &v->cpuid_known[(leaf + subleaf) % CPUID_KNOWN];

    if (!k->valid || k->leaf != leaf || k->subleaf != subleaf) {
        privop_cpuid(v, leaf, subleaf, out);
        if (cpuid_stays(leaf))
            *k = (struct cpuid_known){ .leaf = leaf, .subleaf = subleaf, .out = *out, .valid = 1 };
    } else {
        *out = k->out;
    }
}

bool privop_forced_cpuid(struct vcpu *v)
{
    uint8_t bytes[FETCH_BYTES];
    struct cpuid_leaf out;
    struct cpu_regs *r = v->regs;
    unsigned length = insn_forced_cpuid(bytes, fetch(v, bytes));

    if (!length)
        return false;
    cpuid_by_memory(v, (uint32_t)r->rax, (uint32_t)r->rcx, &out);
    r->rax = out.a;
    r->rbx = out.b;
    r->rcx = out.c;
    r->rdx = out.d;
    if (emul_step_over(r, length, true))
        privop_single_step(v);
    return true;
}
