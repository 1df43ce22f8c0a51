/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power off and reset.
 *
 * Power off writes what dom0's ACPI interpreter found to the PM1 control registers; without its help the
 * machine can only be stopped. Reset tries all known ways, gentlest first.
 */
#include "x86/power.h"

#include "boot/parse/acpi.h"
#include "core/heartbeat.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/power.h"
#include "lib/errno.h"
#include "x86/apic.h"
#include "x86/asm.h"
#include "x86/clock.h"
#include "x86/irq.h"
#include "x86/mm.h"

#define SPACE_MEMORY     0
#define SPACE_PORTS      1
#define PM1_SLEEP_ENABLE (1u << 13)
#define SLEEP_S5         5u
#define HALT_BEFORE_RESET_S 5u

static struct acpi_register pm1a, pm1b, reset;
static volatile uint8_t *reset_mmio;
static uint8_t reset_value;
static bool crash_resets;

void power_init(const struct acpi_info *acpi, bool reset_on_crash)
{
    pm1a = acpi->pm1a_control;
    pm1b = acpi->pm1b_control;
    reset = acpi->reset;
    reset_value = acpi->reset_value;
    crash_resets = reset_on_crash;
    if (reset.address && reset.space == SPACE_MEMORY)
        reset_mmio = io_map(reset.address, 1);
}

static bool is_port(const struct acpi_register *r)
{
    return r->address && r->address < 0x10000 && r->space == SPACE_PORTS;
}

int power_sleep(unsigned state, uint16_t val_a, uint16_t val_b)
{
    if (state != SLEEP_S5)
        return -EOPNOTSUPP;
    if (!is_port(&pm1a))
        return -ENODEV;
    hv_log(LOG_INFO, "dom0 powers the machine off");
    outw((uint16_t)pm1a.address, val_a & ~PM1_SLEEP_ENABLE);
    if (is_port(&pm1b))
        outw((uint16_t)pm1b.address, val_b & ~PM1_SLEEP_ENABLE);
    outw((uint16_t)pm1a.address, val_a | PM1_SLEEP_ENABLE);
    if (is_port(&pm1b))
        outw((uint16_t)pm1b.address, val_b | PM1_SLEEP_ENABLE);
    clock_delay_us(1000000);
    hv_log(LOG_WARN, "it is still on");
    machine_end(MACHINE_HALT);
}

static _Noreturn void stand_still(void)
{
    for (;;) {
        cli();
        hlt();
    }
}

static void reset_acpi(void)
{
    if (is_port(&reset))
        outb((uint16_t)reset.address, reset_value);
    else if (reset_mmio)
        *reset_mmio = reset_value;
}

static void reset_keyboard_controller(void)
{
    for (unsigned i = 0; i < 1000 && inb(0x64) & 2; i++)
        clock_delay_us(10);
    outb(0x64, 0xfe);
}

static void reset_chipset(void)
{
    outb(0xcf9, 0x02);
    clock_delay_us(50);
    outb(0xcf9, 0x06);
}

static _Noreturn void reset_triple_fault(void)
{
    static const struct desc_ptr none;

    lidt(&none);
    __asm__ volatile ("int3");
    stand_still();
}

static _Noreturn void reset_machine(void)
{
    static void (*const ways[])(void) = { reset_acpi, reset_keyboard_controller, reset_chipset };

    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        ways[i]();
        clock_delay_us(100000);
    }
    reset_triple_fault();
}

void machine_end(enum machine_end how)
{
    cli();
    heartbeat_stop();
    switch (how) {
    case MACHINE_REBOOT:
        hv_log(LOG_INFO, "the machine restarts");
        reset_machine();
    case MACHINE_OFF:
        hv_log(LOG_INFO, "the machine is stopped: it may be switched off");
        break;
    case MACHINE_HALT:
        break;
    case MACHINE_CRASHED:
        if (!crash_resets)
            break;
        hv_log(LOG_ERR, "the machine restarts in %u seconds", HALT_BEFORE_RESET_S);
        clock_delay_us(HALT_BEFORE_RESET_S * 1000000);
        reset_machine();
    }
    stand_still();
}
