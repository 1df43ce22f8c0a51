/* SPDX-License-Identifier: BSD-2-Clause */
/* One CPU's privileged set-up: stacks, descriptor tables, system call entry, control registers. */
#include "core/frame.h"
#include "core/log.h"
#include "lib/string.h"
#include "x86/asm.h"
#include "x86/fpu.h"
#include "x86/mm.h"
#include "x86/percpu.h"
#include "x86/model/pte.h"
#include "x86/traps.h"
#include "x86/xpti.h"

#define PERCPU_RW (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)

struct idt_gate { uint16_t off0, sel; uint8_t ist, type; uint16_t off1; uint32_t off2, zero; };

static struct idt_gate idt[256] __attribute__((aligned(4096)));
uint64_t *zero_page; /* behind descriptor windows where the guest has no page */
uint64_t cr4_wanted;

/* The stack pages of CPU `id`, each with an unmapped page below. */
static bool map_stacks(uint64_t base)
{
    for (unsigned page = 1; page < STACK_AREA_SIZE >> PAGE_SHIFT; page++) {
        void *p;

        if (page < MAIN_STACK_PAGE && page % 2 == 0)
            continue;
        p = hv_pages(0);
        if (!p)
            return false;
        mm_map_page(base + page * PAGE_SIZE, machine_frame_mfn(p), PERCPU_RW);
    }
    return true;
}

static uint64_t desc_base(uint64_t base)
{
    return (base & 0xffffff) << 16 | (base & 0xff000000) << 32;
}

/* The hypervisor's page of the GDT: index is the selector's, less page 14's start. */
static void fill_gdt(uint64_t *gdt, struct x86_pcpu *c, uint64_t window)
{
    uint64_t tss = (uint64_t)c->tss, ldt = window + PERCPU_LDT;
    #define AT(sel) gdt[((sel) - 0xe000) >> 3]

    AT(SEL_RING0_CS)   = 0x00af9b000000ffffull;
    AT(SEL_RING0_DS)   = 0x00cf93000000ffffull;
    AT(SEL_RING3_CS32) = 0x00cffb000000ffffull;
    AT(SEL_RING3_DS)   = 0x00cff3000000ffffull;
    AT(SEL_RING3_CS64) = 0x00affb000000ffffull;
    AT(SEL_TSS)        = 0x0000890000000000ull | desc_base(tss) | (sizeof(struct tss) - 1);
    AT(SEL_TSS + 8)    = tss >> 32;
    AT(SEL_LDT)        = 0x0000820000000000ull | desc_base(ldt);
    AT(SEL_LDT + 8)    = ldt >> 32;
    AT(SEL_CPU)        = 0x0040f10000000000ull | c->core.id;
    #undef AT
}

void machine_interrupts(void)
{
    sti_cli();
}

void machine_flush_caches(void)
{
    wbinvd();
}

void percpu_early(void)
{
    static struct x86_pcpu early;

    stack_top()->cpu = &early;
    pcpus[0] = &early.core;
    pcpu_count = 1;
    pcpu_online = 1;
}

void percpu_enter(struct x86_pcpu *c, void (*fn)(void))
{
    __asm__ volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call *%1; ud2" : : "r"(&c->top->regs), "r"(fn) : "memory");
    __builtin_unreachable();
}

struct x86_pcpu *percpu_create(unsigned id)
{
    uint64_t base = PERCPU_VA + (uint64_t)id * PERCPU_SIZE;
    struct x86_pcpu *c = hv_pages(0);
    uint64_t *gdt = hv_pages(0);
    void *tss = hv_pages(0);

    _Static_assert(sizeof(struct x86_pcpu) <= PAGE_SIZE, "one page");
    if (!zero_page)
        zero_page = hv_pages(0);
    if (!c || !gdt || !tss || !zero_page || !map_stacks(base))
        return NULL;
    c->core.id = id;
    c->top = (struct stack_top *)(base + STACK_AREA_SIZE) - 1;
    c->top->cpu = c;
    c->top->self = (uint64_t)&c->top->self;
    c->tss = (struct tss *)(base + PERCPU_TSS);
    mm_map_page(base + PERCPU_TSS, machine_frame_mfn(tss), PERCPU_RW);
    c->tss->rsp[0] = c->top->self;
    for (unsigned i = 0; i < IST_PAGES; i++)
        c->tss->ist[i] = base + (2 * i + 2) * PAGE_SIZE;
    c->tss->iomap = sizeof(struct tss);
    for (unsigned i = 0; i < 16; i++) {
        mm_map_page(base + PERCPU_GDT + i * PAGE_SIZE, machine_frame_mfn(i == 14 ? gdt : zero_page), PERCPU_RW);
        mm_map_page(base + PERCPU_LDT + i * PAGE_SIZE, machine_frame_mfn(zero_page), PERCPU_RW);
    }
    c->gdt.ptes = mm_entry(hv_root, base + PERCPU_GDT, 1);
    c->ldt.ptes = mm_entry(hv_root, base + PERCPU_LDT, 1);
    fill_gdt(gdt, c, base);
    xpti_init_cpu(c, idt);
    return c;
}

void cpu_set_ldt_limit(struct x86_pcpu *c, unsigned entries)
{
    uint64_t *gdt = (uint64_t *)(PERCPU_VA + (uint64_t)c->core.id * PERCPU_SIZE + PERCPU_GDT + 14 * PAGE_SIZE);
    uint64_t limit = entries * 8 - 1;

    gdt[(SEL_LDT - 0xe000) >> 3] =
        0x0000820000000000ull | desc_base((uint64_t)PERCPU_VA + (uint64_t)c->core.id * PERCPU_SIZE + PERCPU_LDT) |
        (limit & 0xffff);
}

/* Which vectors have a stack of their own: TSS.ist[n - 1]. */
static unsigned ist_of(unsigned vector)
{
    return vector == X86_VEC_DF ? 1 : vector == X86_VEC_NMI ? 2 : vector == X86_VEC_MC ? 3 : vector == X86_VEC_DB ? 4 : 0;
}

static void fill_idt(void)
{
    extern char trap_stubs[];

    for (unsigned v = 0; v < 256; v++) {
        uint64_t at = (uint64_t)trap_stubs + v * 16;
        /* Software may use the vectors that software raises: INT3, INTO, and the guest's system call gate. */
        unsigned dpl = v == X86_VEC_BP || v == X86_VEC_OF || v == 0x80 ? 3 : 0;

        idt[v] = (struct idt_gate){ .off0 = (uint16_t)at, .sel = SEL_RING0_CS, .ist = (uint8_t)ist_of(v),
                                    .type = (uint8_t)(0x8e | dpl << 5), .off1 = (uint16_t)(at >> 16),
                                    .off2 = (uint32_t)(at >> 32) };
    }
}

static void reload_segments(void)
{
    __asm__ volatile(
        "push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:"
        "mov %1, %%ss; xor %%eax, %%eax; mov %%eax, %%ds; mov %%eax, %%es; mov %%eax, %%fs; mov %%eax, %%gs"
        : : "i"((long)SEL_RING0_CS), "r"((uint32_t)SEL_RING0_DS) : "rax", "memory");
}

static uint64_t cr4_bits(void)
{
    struct cpuid_regs l1 = cpuid(1, 0), l7 = cpuid(0, 0).eax >= 7 ? cpuid(7, 0) : (struct cpuid_regs){ 0 };
    uint64_t cr4 = 0x620; /* PAE, OSFXSR, OSXMMEXCPT */

    /* With separate roots no translation of the hypervisor's may live on while a guest runs. */
    cr4 |= xpti_in_use() ? 0 : 1u << 7;                  /* PGE */
    cr4 |= 1u << 3;                                      /* DE  */
    cr4 |= l1.edx & (1u << 7) ? 1u << 6 : 0;             /* MCE */
    cr4 |= l1.ecx & (1u << 26) ? 1u << 18 : 0;           /* OSXSAVE */
    cr4 |= l7.ecx & (1u << 2) ? 1u << 11 : 0;            /* UMIP */
    cr4 |= l7.ebx & (1u << 7) && !cpu_options.no_smep ? 1u << 20 : 0;
    cr4 |= l7.ebx & (1u << 20) && !cpu_options.no_smap ? 1u << 21 : 0;
    return cr4;
}

struct cpu_options cpu_options;

void percpu_load(struct x86_pcpu *c)
{
    extern char syscall_stubs[], syscall_stubs_xpti[], syscall32_stubs[], sysenter_entry[];
    uint64_t base = PERCPU_VA + (uint64_t)c->core.id * PERCPU_SIZE, stub = (uint64_t)c->core.id * SYSCALL_STUB_SIZE;
    struct desc_ptr gdtr = { 15 * PAGE_SIZE - 1, base + PERCPU_GDT }, idtr = { sizeof(idt) - 1, (uint64_t)idt };

    if (!idt[0].type) {
        fill_idt();
        cr4_wanted = cr4_bits();
    }
    lgdt(&gdtr);
    lidt(&idtr);
    reload_segments();
    wrmsr(MSR_FS_BASE, 0);
    wrmsr(MSR_GS_BASE, 0);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    c->segments = (struct segments){ 0 };
    ltr(SEL_TSS);
    lldt(0);
    write_cr4(cr4_wanted);
    write_cr0(0x80010033); /* PG, WP, NE, ET, MP, PE */
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 0x801);
    wrmsr(MSR_PAT, PAT_LAYOUT);
    wrmsr(MSR_STAR, (uint64_t)SEL_RING3_CS32 << 48 | (uint64_t)SEL_RING0_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)(xpti_in_use() ? syscall_stubs_xpti : syscall_stubs) + stub);
    wrmsr(MSR_CSTAR, (uint64_t)syscall32_stubs + stub);
    wrmsr(MSR_SFMASK, X86_EFLAGS_IF | X86_EFLAGS_DF | X86_EFLAGS_TF | X86_EFLAGS_NT | X86_EFLAGS_AC | X86_EFLAGS_RF |
                      X86_EFLAGS_IOPL | X86_EFLAGS_VM | X86_EFLAGS_ARITH);
    wrmsr(MSR_SYSENTER_CS, SEL_RING0_CS);
    wrmsr(MSR_SYSENTER_ESP, c->top->self);
    wrmsr(MSR_SYSENTER_EIP, (uint64_t)sysenter_entry);
    fpu_init_cpu();
    c->top->full_root = hv_root_maddr;
}
