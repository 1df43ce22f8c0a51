/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calling the firmware. It runs in ring 0 on page tables of its own: its memory at its own addresses, as nobody told it
 * others, and our slots, where what it is given lies. No guest's memory is mapped there. Interrupts stay off, and it uses
 * this CPU's stack, of which it may want 4 KiB (UEFI 2.9, 2.3.4). Its errors are ours: a fault in it ends the machine.
 */
#include "x86/efi.h"

#include "core/frame.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/pcpu.h"
#include "core/vcpu.h"
#include "lib/string.h"
#include "x86/asm.h"
#include "x86/fpu.h"
#include "x86/mm.h"
#include "x86/model/pte.h"
#include "x86/switch.h"
#include "x86/tlb.h"

#define LOW_HALF_END   (1ull << 47)
#define PAGES_MAX      (1ull << 16)     /* of all ranges: 256 MiB */
#define TABLE_SIZE     136u             /* of services */
#define RESET_SYSTEM   104u             /* its place among them */
#define TYPE_CODE      5u
#define TYPE_MMIO      11u              /* and 12, for ports in memory */

/* The most arguments that a service has: it does not look at those that it has not. */
typedef uint64_t __attribute__((ms_abi)) service_t(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

static struct lock efi_lock = LOCK_INIT(DOMCTL);
static uint64_t *root;
static uint64_t services_at;    /* 0: there are none */

static void map(const struct boot_efi_range *r)
{
    uint64_t flags = PTE_P | PTE_RW | PTE_A | PTE_D;

    if (r->type >= TYPE_MMIO)
        flags |= PTE_PCD | PTE_PWT;
    if (r->type != TYPE_CODE)
        flags |= PTE_NX;
    for (uint64_t i = 0, at = r->base; i < r->pages; i++, at += PAGE_SIZE)
        *mm_make_entry(root, at, 1) = at | flags;
}

/* The ranges are pages of the lower half, not too many, and the table of services is inside of one. */
static const char *what_is_wrong(const struct boot_info *info, uint64_t services)
{
    uint64_t all = 0;
    bool inside = false;

    if (info->efi_ranges_left_out || !info->nr_efi_ranges)
        return "the loader did not say, or said too much, where their memory is";
    for (unsigned i = 0; i < info->nr_efi_ranges; i++) {
        const struct boot_efi_range *r = &info->efi_range[i];

        if (r->pages > PAGES_MAX || r->base % PAGE_SIZE || r->base >= LOW_HALF_END - (PAGES_MAX << PAGE_SHIFT))
            return "their memory is where it can't be";
        all += r->pages;
        inside |= r->pages && services >= r->base && services - r->base <= (r->pages << PAGE_SHIFT) - TABLE_SIZE;
    }
    return all > PAGES_MAX ? "they want more than 256 MiB" : inside ? NULL : "their table is not in their memory";
}

void efi_init(const struct boot_info *info, uint64_t services)
{
    const char *wrong = what_is_wrong(info, services);

    root = wrong ? NULL : hv_pages(0);
    if (!root) {
        hv_log(LOG_WARN, "EFI's runtime services are not used: %s", wrong ? wrong : "there is no memory");
        return;
    }
    memcpy(root, hv_root, PAGE_SIZE);
    for (unsigned i = 0; i < info->nr_efi_ranges; i++)
        map(&info->efi_range[i]);
    services_at = services;
}

bool machine_has_efi(void)
{
    return services_at;
}

uint64_t machine_efi_call(enum efi_service service, const uint64_t arg[5])
{
    struct vcpu *v = current_vcpu();
    service_t *run;
    uint64_t status;

    lock(&efi_lock);
    clts();
    fpu_save(v->arch->fpu);
    fpu_reset();
    tlb_load_root(va_maddr(root));
    run = *(service_t **)(services_at + service);
    status = run(arg[0], arg[1], arg[2], arg[3], arg[4]);
    machine_load_root(v);
    fpu_load(v->arch->fpu, v->xcr0);
    machine_load_control(v);
    unlock(&efi_lock);
    return status;
}

/* ResetSystem(cold 0 or warm 1, status, size and address of data): UEFI 2.9, 8.5.1. */
bool efi_reset(bool warm)
{
    service_t *run;

    if (!services_at)
        return false;
    clts();
    fpu_reset();
    tlb_load_root(va_maddr(root));
    run = *(service_t **)(services_at + RESET_SYSTEM);
    run(warm, 0, 0, 0, 0);
    return true;
}
