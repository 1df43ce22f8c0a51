/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled, never linked: the offsets that assembly uses. The Makefile makes offsets.h of the marked lines. */
#include "x86/layout.h"
#include "abi/hypercall.h"
#include "core/bounce.h"
#include "core/budget.h"
#include "core/domain.h"
#include "core/trace.h"
#include "core/vcpu.h"
#include "x86/model/decode.h"
#include "x86/model/pte.h"
#include "x86/percpu.h"

#define DEFINE(name, value) __asm__ volatile("\n.ascii \"@@" #name " %0@@\"" : : "i"(value))
#define OFFSET(name, type, member) DEFINE(name, offsetof(type, member))

/* For x86/short.S. */
static inline __attribute__((always_inline)) void short_cpu(void)
{
    OFFSET(REGS_r8, struct cpu_regs, r8);
    OFFSET(REGS_r10, struct cpu_regs, r10);
    OFFSET(REGS_r11, struct cpu_regs, r11);
    OFFSET(REGS_rax, struct cpu_regs, rax);
    OFFSET(REGS_rcx, struct cpu_regs, rcx);
    OFFSET(REGS_rdx, struct cpu_regs, rdx);
    OFFSET(REGS_rsi, struct cpu_regs, rsi);
    OFFSET(REGS_rdi, struct cpu_regs, rdi);
    OFFSET(REGS_rflags, struct cpu_regs, rflags);
    OFFSET(REGS_rsp, struct cpu_regs, rsp);
    OFFSET(REGS_ss, struct cpu_regs, ss);

    OFFSET(PCPU_current, struct pcpu, current);
    OFFSET(PCPU_work, struct pcpu, work);
    OFFSET(PCPU_listened, struct pcpu, listened);
    _Static_assert(offsetof(struct pcpu, listened) == offsetof(struct pcpu, work) + 4, "x86/short.S looks at both at once");
    OFFSET(PCPU_budget, struct pcpu, budget);
    _Static_assert(offsetof(struct pcpu, own_faults) == offsetof(struct pcpu, budget) + 4, "x86/short.S sets both at once");
    OFFSET(PCPU_locks_held, struct pcpu, locks_held);
    DEFINE(BUDGET_UNITS, BUDGET_UNITS);
    OFFSET(PCPU_trace, struct pcpu, trace);
    OFFSET(PCPU_perf, struct pcpu, perf);
    OFFSET(PCPU_flush_clock, struct x86_pcpu, flush_clock);
    DEFINE(PERF_HYPERCALLS, PERF_HYPERCALLS);
    DEFINE(PERF_EXCEPTIONS, PERF_EXCEPTIONS);
    DEFINE(PERF_SYSCALLS, PERF_SYSCALLS);
    DEFINE(PERF_UPCALLS, PERF_UPCALLS);
    DEFINE(PERF_PAGE_FAULTS, PERF_PAGE_FAULTS);
    DEFINE(PERF_FLUSHES, PERF_FLUSHES);
}

static inline __attribute__((always_inline)) void short_vcpu(void)
{
    OFFSET(VCPU_domain, struct vcpu, domain);
    OFFSET(VCPU_who, struct vcpu, who);
    OFFSET(VCPU_pause, struct vcpu, pause);
    OFFSET(VCPU_drain, struct vcpu, drain);
    _Static_assert(offsetof(struct vcpu, nmi_pending) == offsetof(struct vcpu, pause) + 4, "x86/short.S looks at both at once");
    OFFSET(VCPU_nmi_masked, struct vcpu, nmi_masked);
    OFFSET(VCPU_kernel_mode, struct vcpu, kernel_mode);
    OFFSET(VCPU_kernel_sp, struct vcpu, kernel_sp);
    OFFSET(VCPU_root_user, struct vcpu, root_user);
    OFFSET(VCPU_root_kernel, struct vcpu, root_kernel);
    OFFSET(VCPU_cpuid_known, struct vcpu, cpuid_known);
    DEFINE(CPUID_KNOWN, CPUID_KNOWN);
    _Static_assert(sizeof(struct cpuid_known) == 32, "x86/short.S shifts by 5");
    OFFSET(KNOWN_leaf, struct cpuid_known, leaf);
    OFFSET(KNOWN_subleaf, struct cpuid_known, subleaf);
    OFFSET(KNOWN_valid, struct cpuid_known, valid);
    OFFSET(KNOWN_a, struct cpuid_known, out.a);
    OFFSET(KNOWN_b, struct cpuid_known, out.b);
    OFFSET(KNOWN_c, struct cpuid_known, out.c);
    OFFSET(KNOWN_d, struct cpuid_known, out.d);
    OFFSET(VCPU_info, struct vcpu, info);
    OFFSET(VCPU_event_va, struct vcpu, event_cb.va);
    OFFSET(VCPU_syscall_va, struct vcpu, syscall_cb.va);
    OFFSET(VCPU_syscall_mask, struct vcpu, syscall_cb.mask_events);
    OFFSET(VCPU_trap_ud, struct vcpu, traps[X86_VEC_UD].va);
    OFFSET(VCPU_trap_pf, struct vcpu, traps[X86_VEC_PF].va);
    OFFSET(VCPU_trap_ud_flags, struct vcpu, traps[X86_VEC_UD].flags);
    OFFSET(VCPU_trap_pf_flags, struct vcpu, traps[X86_VEC_PF].flags);
    OFFSET(INFO_pending, struct vcpu_info, evtchn_upcall_pending);
    OFFSET(INFO_mask, struct vcpu_info, evtchn_upcall_mask);
    OFFSET(INFO_cr2, struct vcpu_info, arch.cr2);
    DEFINE(TRAP_MASKS_EVENTS, TRAP_MASKS_EVENTS);
    OFFSET(DOMAIN_dirty, struct domain, dirty);
    OFFSET(DOMAIN_vm_assist, struct domain, vm_assist);
    DEFINE(VM_ASSIST_IOPL, 1u << VMASST_TYPE_architectural_iopl);
}

static inline __attribute__((always_inline)) void short_record(void)
{
    OFFSET(TRACE_record, struct trace_cpu, record);
    OFFSET(TRACE_next, struct trace_cpu, next);
    DEFINE(TRACE_RECORDS_EACH, TRACE_RECORDS);
    OFFSET(RECORD_event, struct trace_record, event);
    OFFSET(RECORD_word, struct trace_record, word);
    OFFSET(RECORD_who, struct trace_record, who);
    OFFSET(RECORD_rip, struct trace_record, rip);
    OFFSET(RECORD_result, struct trace_record, result);
    DEFINE(RECORD_NO_RESULT, TRACE_NO_RESULT);
    DEFINE(RECORD_SYSCALL, TRACE_SYSCALL | 2 << TRACE_EXTRA_SHIFT);
    DEFINE(RECORD_UPCALL, TRACE_UPCALL | 2 << TRACE_EXTRA_SHIFT);
    DEFINE(RECORD_PAGE_FAULT, TRC_PV_PAGE_FAULT | TRC_64_FLAG | 5 << TRACE_EXTRA_SHIFT);
    DEFINE(RECORD_TRAP, TRC_PV_TRAP | TRC_64_FLAG | 3 << TRACE_EXTRA_SHIFT);
    DEFINE(RECORD_HYPERCALL, TRC_PV_HYPERCALL_V2 | 1 << TRACE_EXTRA_SHIFT);
}

static inline __attribute__((always_inline)) void short_hypercall(void)
{
    DEFINE(HYPERCALL_ROWS, HYPERCALL_ROWS);
    _Static_assert(sizeof(struct hypercall_row) == 32, "x86/short.S shifts by 5");
    OFFSET(ROW_plain, struct hypercall_row, plain);
    OFFSET(ROW_head, struct hypercall_row, head);
    OFFSET(ROW_run, struct hypercall_row, run);
    /* It is made by pushing word after word, the last first. */
    _Static_assert(sizeof(struct hypercall) == 72 && offsetof(struct hypercall, v) == 0 && offsetof(struct hypercall, d) == 8 &&
                   offsetof(struct hypercall, nr) == 16 && offsetof(struct hypercall, arg) == 24, "x86/short.S pushes it");
    DEFINE(HYPERCALL_SIZE, sizeof(struct hypercall));
    DEFINE(ERESTART, ERESTART);
}

static inline __attribute__((always_inline)) void short_iret(void)
{
    OFFSET(IRET_rax, struct iret_context, rax);
    OFFSET(IRET_r11, struct iret_context, r11);
    OFFSET(IRET_rcx, struct iret_context, rcx);
    OFFSET(IRET_flags, struct iret_context, flags);
    OFFSET(IRET_rip, struct iret_context, rip);
    OFFSET(IRET_cs, struct iret_context, cs);
    OFFSET(IRET_rflags, struct iret_context, rflags);
    OFFSET(IRET_rsp, struct iret_context, rsp);
    OFFSET(IRET_ss, struct iret_context, ss);
    DEFINE(IRET_BYTES, sizeof(struct iret_context));
    DEFINE(IRET_IN_SYSCALL, VGCF_in_syscall);
    DEFINE(HYPERCALL_IRET, __HYPERVISOR_iret);
}

static inline __attribute__((always_inline)) void short_constants(void)
{
    DEFINE(GUEST_UPPER, HV_VADDR_END);
    _Static_assert(!(uint32_t)HV_VADDR_END, "x86/short.S compares upper halves");
    DEFINE(KERNEL_CS, FLAT_KERNEL_CS);
    DEFINE(KERNEL_SS, FLAT_KERNEL_SS);
    DEFINE(X86_FLAGS_IF, X86_EFLAGS_IF);
    DEFINE(X86_FLAGS_IF_BIT, 9);
    DEFINE(X86_FLAGS_TF, X86_EFLAGS_TF);
    DEFINE(X86_FLAGS_MBS, X86_EFLAGS_MBS);
    DEFINE(X86_FLAGS_IOPL, X86_EFLAGS_IOPL);
    DEFINE(FLAGS_NOT_INHERITED, FLAGS_NOT_INHERITED);
    DEFINE(FLAGS_NEVER, FLAGS_NEVER);
    DEFINE(X86_UD, X86_VEC_UD);
    DEFINE(X86_PF, X86_VEC_PF);
    DEFINE(PFEC_PRESENT, X86_PFEC_PRESENT);
    DEFINE(PFEC_WRITE, X86_PFEC_WRITE);
    DEFINE(PFEC_USER, X86_PFEC_USER);
    DEFINE(PFEC_RESERVED, X86_PFEC_RESERVED);
    DEFINE(FLAGS_STEPPED, X86_EFLAGS_TF | X86_EFLAGS_RF);
    DEFINE(FORCED_EMULATION, FORCED_EMULATION);
    DEFINE(FORCED_CPUID_END, FORCED_CPUID_END);
    DEFINE(FORCED_CPUID_BYTES, FORCED_CPUID_BYTES);
}

void offsets(void);
void offsets(void)
{
    DEFINE(REGS_SIZE, sizeof(struct cpu_regs));
    OFFSET(REGS_cs, struct cpu_regs, cs);
    OFFSET(REGS_rip, struct cpu_regs, rip);
    OFFSET(REGS_error_code, struct cpu_regs, error_code);
    OFFSET(REGS_vector, struct cpu_regs, entry_vector);
    DEFINE(TOP_SIZE, sizeof(struct stack_top));
    DEFINE(PERCPU_FRAME, STACK_AREA_SIZE - sizeof(struct stack_top));
    DEFINE(SYSCALL_STUB_SIZE, SYSCALL_STUB_SIZE);
    DEFINE(MAX_CPUS, MAX_CPUS);
    DEFINE(TOP_self_to_end, sizeof(struct stack_top) - offsetof(struct stack_top, self));
    /* From the guest's frame, with which struct stack_top begins. */
    OFFSET(FRAME_full_root, struct stack_top, full_root);
    OFFSET(FRAME_exit_root, struct stack_top, exit_root);
    OFFSET(FRAME_cpu, struct stack_top, cpu);
    OFFSET(FRAME_scratch, struct stack_top, scratch);
    short_cpu();
    short_vcpu();
    short_record();
    short_hypercall();
    short_iret();
    short_constants();
}
