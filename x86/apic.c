/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC. Registers are the same in both modes; only the way to them and the width of ids differ.
 *
 * Each CPU touches only its own APIC, with interrupts off: no locks.
 */
#include "x86/apic.h"

#include "core/log.h"
#include "core/pcpu.h"
#include "x86/asm.h"
#include "x86/irq.h"
#include "x86/mm.h"

#define APIC_BYTES   0x1000u
#define BASE_ENABLE  (1u << 11)
#define BASE_X2      (1u << 10)

enum apic_reg {
    REG_ID = 0x20, REG_TPR = 0x80, REG_EOI = 0xb0, REG_LDR = 0xd0, REG_DFR = 0xe0, REG_SPURIOUS = 0xf0,
    REG_ISR = 0x100, REG_ESR = 0x280, REG_ICR = 0x300, REG_ICR_HIGH = 0x310,
    REG_LVT_TIMER = 0x320, REG_LVT_THERMAL = 0x330, REG_LVT_PERF = 0x340,
    REG_LVT_LINT0 = 0x350, REG_LVT_LINT1 = 0x360, REG_LVT_ERROR = 0x370,
    REG_TIMER_INIT = 0x380, REG_TIMER_NOW = 0x390, REG_TIMER_DIVIDE = 0x3e0,
};

#define SPURIOUS_ENABLE  0x100u
#define LVT_MASKED       0x10000u
#define LVT_NMI          0x400u
#define LVT_DEADLINE     0x40000u
#define DIVIDE_BY_1      0xbu

#define ICR_NMI          0x400u
#define ICR_INIT         0x500u
#define ICR_STARTUP      0x600u
#define ICR_PENDING      0x1000u
#define ICR_ASSERT       0x4000u
#define ICR_OTHERS       0xc0000u
#define ICR_TURNS        1000000u

#define CPUID1_ECX_X2APIC    (1u << 21)
#define CPUID1_ECX_DEADLINE  (1u << 24)

#define XAPIC_EVERYBODY      0xffu

static volatile uint8_t *mmio;   /* NULL in x2APIC mode */
static bool x2, deadline;

static uint32_t apic_read(enum apic_reg r)
{
    return x2 ? (uint32_t)rdmsr(MSR_X2APIC + r / 16) : mmio_read32(mmio + r);
}

static void apic_write(enum apic_reg r, uint32_t v)
{
    if (x2)
        wrmsr(MSR_X2APIC + r / 16, v);
    else
        mmio_write32(mmio + r, v);
}

bool apic_is_x2(void)
{
    return x2;
}

bool apic_reaches(uint32_t id)
{
    return x2 || id < XAPIC_EVERYBODY;
}

uint32_t apic_id(void)
{
    return x2 ? apic_read(REG_ID) : apic_read(REG_ID) >> 24;
}

void apic_eoi(void)
{
    apic_write(REG_EOI, 0);
}

uint32_t apic_errors(void)
{
    apic_write(REG_ESR, 0);
    return apic_read(REG_ESR);
}

/* ---- Setting up ---- */

/* The two 8259s: out of the exceptions' way (vectors 0x20..0x2f), and silent. */
static void pic_disable(void)
{
    static const struct { uint16_t port; uint8_t value; } script[] = {
        { 0x20, 0x11 }, { 0xa0, 0x11 },   /* initialise, four words  */
        { 0x21, 0x20 }, { 0xa1, 0x28 },   /* vectors                 */
        { 0x21, 0x04 }, { 0xa1, 0x02 },   /* how they are cascaded   */
        { 0x21, 0x01 }, { 0xa1, 0x01 },   /* 8086 mode               */
        { 0x21, 0xff }, { 0xa1, 0xff },   /* everything masked       */
    };

    for (size_t i = 0; i < ARRAY_SIZE(script); i++)
        outb(script[i].port, script[i].value);
}

static void set_mode(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (!(base & BASE_ENABLE))
        wrmsr(MSR_APIC_BASE, base |= BASE_ENABLE);
    if (x2 && !(base & BASE_X2))
        wrmsr(MSR_APIC_BASE, base | BASE_X2);
}

/* Finishes what a predecessor (firmware, boot loader, crashed kernel) left in service. */
static void drain_in_service(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint32_t any = 0;

        for (unsigned r = 0; r < 8; r++)
            any |= apic_read(REG_ISR + r * 16);
        if (!any)
            return;
        apic_eoi();
    }
}

void apic_init_cpu(void)
{
    set_mode();
    apic_write(REG_TPR, 0);
    if (!x2) {
        apic_write(REG_DFR, 0xffffffff);
        apic_write(REG_LDR, 0);
    }
    apic_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    apic_write(REG_LVT_LINT0, LVT_MASKED);
    apic_write(REG_LVT_LINT1, LVT_NMI);
    apic_write(REG_LVT_PERF, LVT_MASKED);
    apic_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    drain_in_service();
    apic_errors();
    apic_write(REG_LVT_ERROR, VECTOR_ERROR);
    apic_timer_init();
}

void apic_init(uint64_t maddr, bool may_be_x2)
{
    uint32_t features = cpuid(1, 0).ecx;

    deadline = features & CPUID1_ECX_DEADLINE;
    x2 = rdmsr(MSR_APIC_BASE) & BASE_X2 || (may_be_x2 && features & CPUID1_ECX_X2APIC);
    if (!x2) {
        mmio = io_map(maddr, APIC_BYTES);
        if (!mmio)
            panic("no address space for the local APIC at %#lx", maddr);
    }
    pic_disable();
    apic_init_cpu();
    hv_log(LOG_INFO, "local APIC: %s, timer %s", x2 ? "x2APIC" : "xAPIC",
           deadline ? "TSC deadline" : "one shot");
}

/* ---- Messages between CPUs ---- */

static void icr_write(uint32_t id, uint32_t command)
{
    if (x2) {
        __asm__ volatile ("mfence; lfence" : : : "memory"); /* this MSR write does not order earlier stores */
        wrmsr(MSR_X2APIC + REG_ICR / 16, (uint64_t)id << 32 | command);
        return;
    }
    for (unsigned i = 0; i < ICR_TURNS && apic_read(REG_ICR) & ICR_PENDING; i++)
        cpu_pause();
    apic_write(REG_ICR_HIGH, id << 24);
    apic_write(REG_ICR, command);
}

void apic_send_ipi(unsigned cpu, uint8_t vector)
{
    icr_write(pcpus[cpu]->apic_id, ICR_ASSERT | vector);
}

void machine_nmi(unsigned cpu)
{
    icr_write(pcpus[cpu]->apic_id, ICR_ASSERT | ICR_NMI);
}

void apic_send_init(uint32_t id)
{
    icr_write(id, ICR_ASSERT | ICR_INIT);
}

void apic_send_startup(uint32_t id, uint8_t page)
{
    icr_write(id, ICR_ASSERT | ICR_STARTUP | page);
}

void apic_send_others(uint8_t vector)
{
    icr_write(0, ICR_ASSERT | ICR_OTHERS | vector);
}

void machine_kick(unsigned cpu)
{
    perf_count(PERF_KICKS);
    apic_send_ipi(cpu, VECTOR_KICK);
}

/* ---- Timer ---- */

void apic_timer_init(void)
{
    apic_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(REG_LVT_TIMER, VECTOR_TIMER | (deadline ? LVT_DEADLINE : 0));
    /* The deadline MSR must be written after the mode; the register write above is not ordered with it. */
    __asm__ volatile ("mfence" : : : "memory");
    if (deadline)
        wrmsr(MSR_TSC_DEADLINE, 0);
    else
        apic_write(REG_TIMER_INIT, 0);
}

bool apic_timer_has_deadline(void)       { return deadline; }
void apic_timer_deadline(uint64_t tsc)   { wrmsr(MSR_TSC_DEADLINE, tsc); }
void apic_timer_count(uint32_t ticks)    { apic_write(REG_TIMER_INIT, ticks); }
uint32_t apic_timer_left(void)           { return apic_read(REG_TIMER_NOW); }
