/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power off and reset.
 *
 * Power off writes what dom0's ACPI interpreter found to the PM1 control registers; without its help the
 * machine can only be stopped. Reset tries one way after the other (x86/model/reboot.h).
 */
#include "x86/power.h"

#include "boot/parse/acpi.h"
#include "boot/parse/cmdline.h"
#include "core/heartbeat.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/power.h"
#include "lib/errno.h"
#include "x86/apic.h"
#include "x86/asm.h"
#include "x86/clock.h"
#include "x86/efi.h"
#include "x86/irq.h"
#include "x86/mm.h"

#define SPACE_MEMORY     0
#define SPACE_PORTS      1
#define PM1_SLEEP_ENABLE (1u << 13)
#define SLEEP_S5         5u
#define HALT_BEFORE_RESET_S 5u
#define WAY_TAKES_US     100000u /* to have an effect */
#define CHIPSET_RESET    0xcf9
#define BIOS_RESET_WORD  0x472   /* in the BIOS' data */
#define BIOS_WARM        0x1234

static struct acpi_register pm1a, pm1b, reset;
static volatile uint8_t *reset_mmio;
static uint8_t reset_value;
static bool crash_resets, warm;
static enum reboot_way first_way;

void power_init(const struct acpi_info *acpi, const struct boot_options *options)
{
    pm1a = acpi->pm1a_control;
    pm1b = acpi->pm1b_control;
    reset = acpi->reset;
    reset_value = acpi->reset_value;
    crash_resets = !options->noreboot;
    warm = options->warm;
    first_way = options->reboot;
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

/* ---- The ways to reset; each comes back if it has no effect, false if it is not there ---- */

static bool reset_acpi(void)
{
    if (is_port(&reset))
        outb((uint16_t)reset.address, reset_value);
    else if (reset_mmio)
        *reset_mmio = reset_value;
    return is_port(&reset) || reset_mmio;
}

static bool reset_keyboard_controller(void)
{
    for (unsigned i = 0; i < 1000 && inb(0x64) & 2; i++)
        clock_delay_us(10);
    outb(0x64, 0xfe);
    return true;
}

static bool reset_chipset(void)
{
    outb(CHIPSET_RESET, 0x02);
    clock_delay_us(50);
    outb(CHIPSET_RESET, 0x06);
    return true;
}

static bool reset_power(void)
{
    outb(CHIPSET_RESET, 0x0a);
    clock_delay_us(50);
    outb(CHIPSET_RESET, 0x0e);
    return true;
}

static bool reset_firmware(void)
{
    return efi_reset(warm);
}

static bool reset_triple_fault(void)
{
    static const struct desc_ptr none;

    lidt(&none);
    __asm__ volatile ("int3");
    return true;
}

static void try(enum reboot_way way)
{
    static const struct { const char *name; bool (*run)(void); } ways[REBOOT_WAYS] = {
        [REBOOT_ACPI]   = { "ACPI's reset register", reset_acpi },
        [REBOOT_KBD]    = { "the keyboard controller", reset_keyboard_controller },
        [REBOOT_PCI]    = { "the chipset", reset_chipset },
        [REBOOT_POWER]  = { "switching its power", reset_power },
        [REBOOT_EFI]    = { "the firmware", reset_firmware },
        [REBOOT_TRIPLE] = { "a triple fault", reset_triple_fault },
    };

    ASSERT(ways[way].run);
    hv_log(LOG_INFO, "the machine restarts by %s", ways[way].name);
    if (ways[way].run())
        clock_delay_us(WAY_TAKES_US);
    else
        hv_log(LOG_INFO, "which it has not");
}

/* As the BIOS looks for it, on machines that have one. */
static void leave_word_for_bios(void)
{
    void *page = machine_frame(mfn(0));

    if (page && !machine_has_efi())
        *(volatile uint16_t *)((char *)page + BIOS_RESET_WORD) = warm ? BIOS_WARM : 0;
}

static _Noreturn void reset_machine(enum reboot_way first)
{
    enum reboot_way order[REBOOT_WAYS];
    unsigned n = reboot_order(first, order);

    leave_word_for_bios();
    for (unsigned i = 0; i < n; i++)
        try(order[i]);
    stand_still();
}

void machine_end(enum machine_end how)
{
    cli();
    heartbeat_stop();
    switch (how) {
    case MACHINE_REBOOT:
        reset_machine(first_way);
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
        /* The firmware wants a large stack, and that all is well. */
        reset_machine(first_way == REBOOT_EFI ? REBOOT_DEFAULT : first_way);
    }
    stand_still();
}
