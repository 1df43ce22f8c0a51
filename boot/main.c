/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the loader's hand-over to dom0's first instruction, in three stages:
 *   boot_main    on the boot stack and the first page tables: what the loader and the firmware say, our own page tables
 *   second_stage on CPU 0's own stack: interrupts, clocks, the other CPUs, dom0
 *   then the CPU leaves by the same path as every other, core_exit().
 */
#include "abi/identity.h"
#include "boot/dom0.h"
#include "boot/params.h"
#include "boot/parse/acpi.h"
#include "boot/parse/bootinfo.h"
#include "boot/parse/bzimage.h"
#include "boot/parse/cmdline.h"
#include "boot/parse/cpio.h"
#include "boot/parse/efi.h"
#include "boot/parse/multiboot.h"
#include "boot/parse/numa.h"
#include "boot/parse/unpack.h"
#include "boot/unpack_shim.h"
#include "core/console.h"
#include "core/debug.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/heartbeat.h"
#include "core/idle.h"
#include "core/log.h"
#include "core/mce.h"
#include "core/pcpu.h"
#include "core/reservation.h"
#include "core/sched.h"
#include "core/timer.h"
#include "core/trace.h"
#include "core/vcpu.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "x86/apic.h"
#include "x86/asm.h"
#include "x86/clock.h"
#include "x86/cpu_policy.h"
#include "x86/efi.h"
#include "x86/idle.h"
#include "x86/irq.h"
#include "x86/mm.h"
#include "x86/panic.h"
#include "x86/percpu.h"
#include "x86/power.h"
#include "x86/screen.h"
#include "x86/serial.h"
#include "x86/smp.h"
#include "x86/traps.h"
#include "x86/xpti.h"

#include <xen/arch-x86/hvm/start_info.h>

#define FIRST_TABLES_END (4ull << 30)
#define LOW_END (1ul << 20)

static struct boot_info info;
static struct boot_options options;
static struct acpi_info acpi;
static struct mem_map firmware_map, free_map, scratch;
static struct { void *file; size_t size; uint64_t cap; } kernel; /* cap 0: it is in the module itself */
static struct bytes initrd;
static uint64_t boot_unpack_arena;

void boot_main(uint32_t magic, uint64_t info_maddr);

static _Noreturn void stop(const char *what, const char *remedy)
{
    hv_log(LOG_ERR, "%s; %s. Halted.", what, remedy);
    machine_end(MACHINE_HALT);
}

static void say(const char *line)
{
    hv_log(LOG_WARN, "%s", line);
}

/* Memory as the first page tables map it. */
static const void *at(uint64_t maddr, size_t len)
{
    return maddr < FIRST_TABLES_END && len <= FIRST_TABLES_END - maddr ? maddr_va(maddr) : NULL;
}

/* ---- What the loader says ---- */

static void read_loader(uint32_t magic, uint64_t maddr)
{
    const char *why = "it is neither multiboot 1, multiboot 2 nor PVH", *why_not;
    int rc = -1;

    if (magic == MULTIBOOT1_BOOT_MAGIC)
        rc = multiboot1_parse(at, maddr, &info, &why);
    else if (magic == MULTIBOOT2_BOOT_MAGIC)
        rc = multiboot2_parse(at, maddr, &info, &why);
    else if (magic == XEN_HVM_START_MAGIC_VALUE)
        rc = pvh_parse(at, maddr, &info, &why);
    if (rc) {
        (void)cmdline_parse("", &options, NULL, &why_not);
        serial_init(&options);
        screen_init(&options, &info);
        hv_log(LOG_ERR, "The loader's information can't be read: %s", why);
        stop("No boot information", "load Krypton by multiboot 1 or 2, or by PVH");
    }
}

static void read_options(void)
{
    const char *why;
    int rc;

    /* The console first, so that what is wrong with the options can be said there. */
    rc = cmdline_parse(info.cmdline, &options, NULL, &why);
    serial_init(&options);
    screen_init(&options, &info);
    params_log_levels(&options);
    hv_log(LOG_ERR, "Krypton %s (Xen ABI %u.%u), loaded by %s", identity_version, IDENTITY_MAJOR, IDENTITY_MINOR,
           info.loader[0] ? info.loader : "an unnamed loader");
    hv_log(LOG_ERR, "Command line: %s", info.cmdline);
    (void)cmdline_parse(info.cmdline, &options, say, &why);
    if (rc)
        stop(why, "correct dom0_mem= on Krypton's command line");
    strlcpy(identity_cmdline, options.line, sizeof(identity_cmdline));
    cpu_options.no_smep = options.smep == OPTION_OFF;
    cpu_options.no_smap = options.smap == OPTION_OFF;
    xpti_init(&options);
}

/* ---- Memory ---- */

static void hold(uint64_t base, uint64_t size)
{
    const char *why;

    if (mem_map_reserve(&free_map, base, size, MEM_HELD, &scratch, &why))
        stop(why, "the firmware's memory map can't be used");
}

static void read_memory(void)
{
    const char *why;

    firmware_map = info.map;
    if (mem_map_normalise(&firmware_map, &scratch, &why))
        stop(why, "the firmware's memory map can't be used");
    for (unsigned i = 0; i < firmware_map.count; i++) {
        const struct mem_range *r = &firmware_map.range[i];

        hv_log(LOG_INFO, "memory %016lx-%016lx %s", r->base, r->base + r->size - 1, mem_type_name(r->type));
    }
    free_map = firmware_map;
    if (options.mem)
        mem_map_limit(&free_map, options.mem);
    /* The firmware's and the trampoline's: RAM below 1 MiB only, what lies between is devices. */
    for (unsigned i = 0; i < firmware_map.count; i++) {
        const struct mem_range *r = &firmware_map.range[i];

        if (r->type == MEM_RAM && r->base < LOW_END)
            hold(r->base, MIN(r->size, (uint64_t)LOW_END - r->base));
    }
    hold(image_maddr(image_start), (uint64_t)(image_end - image_start));
    for (unsigned i = 0; i < info.nr_modules; i++)
        hold(info.module[i].base, info.module[i].size);
    for (unsigned i = 0; i < info.nr_efi_ranges; i++)
        hold(info.efi_range[i].base, MIN(info.efi_range[i].pages, MEM_ADDRESS_END >> PAGE_SHIFT) << PAGE_SHIFT);
    hv_log(LOG_INFO, "%lu MiB of RAM", mem_map_ram(&free_map) >> 20);
}

/* The firmware's map as dom0 gets it: as it is, with the interrupt controllers' registers reserved. */
static void make_machine_map(void)
{
    const char *why;
    static struct e820entry map[RESERVATION_MAX_E820];

    for (unsigned i = 0; i < acpi.nr_ioapics; i++)
        (void)!mem_map_reserve(&firmware_map, acpi.ioapic[i].base, PAGE_SIZE, MEM_RESERVED, &scratch, &why);
    if (mem_map_add(&firmware_map, acpi.lapic_base, PAGE_SIZE, MEM_RESERVED) == 0)
        (void)!mem_map_normalise(&firmware_map, &scratch, &why);
    for (unsigned i = 0; i < acpi.nr_ioapics; i++) {
        if (mem_map_add(&firmware_map, acpi.ioapic[i].base, PAGE_SIZE, MEM_RESERVED) == 0)
            (void)!mem_map_normalise(&firmware_map, &scratch, &why);
    }
    machine_e820 = map;
    machine_e820_count = MIN(firmware_map.count, RESERVATION_MAX_E820);
    for (unsigned i = 0; i < machine_e820_count; i++)
        map[i] = (struct e820entry){ firmware_map.range[i].base, firmware_map.range[i].size, firmware_map.range[i].type };
}

struct e820entry *machine_e820;
unsigned machine_e820_count;

/* ---- The tables of the firmware ---- */

/* Without it dom0 finds no ACPI on an EFI machine. */
static void read_efi(void)
{
    const char *why;

    if (!info.efi_system_table)
        return;
    if (efi_parse(at, info.efi_system_table, &firmware_efi, &why))
        hv_log(LOG_WARN, "%s; dom0 is told of no EFI", why);
    else
        hv_log(LOG_INFO, "EFI %u.%u, %u tables", firmware_efi.version >> 16, (firmware_efi.version & 0xffff) / 10,
               firmware_efi.nr_tables);
}

static void read_acpi(void)
{
    const char *why = "there is no ACPI root pointer";

    if (!info.rsdp_size)
        (void)acpi_find_rsdp(at, info.rsdp, &info.rsdp_size);
    if (!info.rsdp_size || acpi_parse(at, info.rsdp, info.rsdp_size, &acpi, &why))
        stop(why, "Krypton needs ACPI tables with an MADT");
    hv_log(LOG_INFO, "ACPI: %u CPUs, %u I/O APICs, %u overrides, HPET %#lx, PM timer %#lx", acpi.nr_cpus, acpi.nr_ioapics,
           acpi.nr_overrides, acpi.hpet_base, acpi.pm_timer.address);
}

static void read_numa(void)
{
    const char *why;

    if (!options.numa)
        return;
    numa_parse(&acpi, &firmware_map, &numa, &why);
    if (why)
        hv_log(LOG_WARN, "NUMA: %s", why);
    for (unsigned i = 0; i < numa.spans && numa.nodes > 1; i++)
        hv_log(LOG_INFO, "NUMA: memory from %016lx on is node %u's", numa.span[i].start << PAGE_SHIFT, numa.span[i].node);
}

/* ---- dom0's kernel ---- */

/* The first module is the kernel and the second its initrd; or the only one is an initrd with the kernel in it. */
static struct bytes find_kernel(void)
{
    struct bytes first = bytes(maddr_va(info.module[0].base), info.module[0].size), inside = bytes(NULL, 0);

    if (info.nr_modules > 1)
        initrd = bytes(maddr_va(info.module[1].base), info.module[1].size);
    else
        inside = cpio_first_file(first);
    if (!inside.data)
        return first;
    initrd = first;
    return inside;
}

/* The libraries read %fs:0x28 and use SSE (boot/parse/unpack.h): see that both work while they run. */
static void unpack_dom0_kernel(void)
{
    static uint8_t tls[64];
    struct kernel_payload p;
    struct bytes file;
    const char *why;
    void *arena;

    if (!info.nr_modules)
        stop("No modules were loaded", "give dom0's kernel and its initrd as modules");
    file = find_kernel();
    if (bzimage_payload(file.data, file.size, &p, &why))
        stop(why, "the first module must be a Linux kernel (bzImage or ELF)");
    hv_log(LOG_INFO, "dom0's kernel: %lu KiB, %s", file.size >> 10, kernel_format_name(p.format));
    if (p.format == KERNEL_ELF) {
        kernel.file = (void *)(uintptr_t)p.data;
        kernel.size = p.size;
        return;
    }
    kernel.cap = ROUNDUP(p.unpacked, PAGE_SIZE);
    if (p.unpacked > (512u << 20))
        stop("dom0's kernel claims to unpack to more than 512 MiB", "its file is damaged: replace it");
    kernel.file = boot_pages(kernel.cap >> PAGE_SHIFT, PAGE_SIZE);
    arena = boot_pages(UNPACK_ARENA >> PAGE_SHIFT, PAGE_SIZE);
    wrmsr(MSR_FS_BASE, (uint64_t)tls);
    unpack_shim_start();
    if (unpack_kernel(p.data, p.size, kernel.file, kernel.cap, &kernel.size, arena, UNPACK_ARENA, &why))
        stop(why, "dom0's kernel file is damaged: replace it");
    wrmsr(MSR_FS_BASE, 0);
    boot_unpack_arena = va_maddr(arena);
}

static void build_dom0(void)
{
    struct dom0_images images = { .kernel = kernel.file, .kernel_size = kernel.size, .cmdline = info.module[0].cmdline,
                                  .initrd = initrd.data, .initrd_size = initrd.size, .screen = &info.screen };

    dom0_build(&images, &options);
    for (unsigned i = 0; i < info.nr_modules; i++)
        mm_release(info.module[i].base, info.module[i].size);
    if (kernel.cap)
        mm_release(va_maddr(kernel.file), kernel.cap);
}

/* ---- The stages ---- */

static void start_cpu_parts(unsigned cpu)
{
    if (timers_init_cpu(cpu) || sched_init_cpu(cpu) || trace_init_cpu(cpu))
        stop("No memory for a CPU's queues", "the machine has too little memory");
}

static void second_stage(void)
{
    struct pcpu *c = this_pcpu();

    pcpus[0] = c;
    c->online = true;
    percpu_load(this_cpu());
    apic_init(acpi.lapic_base, options.x2apic && !acpi.no_x2apic);
    smp_identify_boot_cpu(c, &acpi);
    clock_init(&acpi, options.clock);
    start_cpu_parts(0);
    irq_init(&acpi);
    cpu_policy_init();
    idle_means_init();
    idle_init(options.cpuidle, options.max_cstate, options.max_substate);
    power_init(&acpi, &options);
    smp_init(&acpi, &firmware_map, options.maxcpus);
    hv_log(LOG_INFO, "%u CPU%s", pcpu_count, pcpu_count == 1 ? "" : "s");
    debug_keys_init();
    irq_keys_init();
    traps_keys_init();
    panic_keys_init();
    if (options.mce)
        mce_start_cpu();
    params_register(&options);
    xpti_check();
    make_machine_map();
    if (firmware_efi.version)
        efi_init(&info, firmware_efi.services);
    console_switch_by(options.switch_char, options.input_stays);
    serial_start_input();
    build_dom0();
    hv_log(LOG_INFO, "%lu MiB are free", frames_free_count() >> 8);
    hv_log(LOG_ERR, "Starting dom0; three times Ctrl-%c switches console input", options.switch_char - 'a' + 'A');
    screen_give_up();
    if (options.watchdog && options.watchdog_timeout)
        heartbeat_start(options.watchdog_timeout);
    vcpu_pause_clear(dom0->vcpu[0], PAUSE_DOWN);
    dom0->ctl_pause_count = 0;
    dom0->was_unpaused = true;
    domain_unpause(dom0);
    leave_by_frame(&stack_top()->regs);
}

_Noreturn void smp_ap_main(struct pcpu *c)
{
    if (options.mce)
        mce_start_cpu();
    pcpu_raise(c->id, WORK_SCHED);
    leave_by_frame(&stack_top()->regs);
}

void boot_main(uint32_t magic, uint64_t info_maddr)
{
    struct x86_pcpu *c;

    percpu_early();
    read_loader(magic, info_maddr);
    read_options();
    read_memory();
    read_efi();
    read_acpi();
    read_numa();
    mm_patch_smap(cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & (1u << 20)) && !cpu_options.no_smap);
    mm_build(&free_map, screen_base(), screen_size());
    unpack_dom0_kernel();
    mm_give_free_frames();
    if (kernel.cap)
        mm_release(boot_unpack_arena, UNPACK_ARENA);
    c = percpu_create(0);
    if (!c)
        stop("No memory for CPU 0", "the machine has too little memory");
    percpu_enter(c, second_stage);
}
