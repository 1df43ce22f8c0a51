/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abi/physdev.c, core/pcidev.c: what a guest may say about interrupts and devices, and what reaches the lines. The lines
 * below only note what they were asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "abi/physdev.c"
#include "core/pcidev.c"

static struct domain dom = { .id = 0, .privileges = PRIV_ALL };
static struct vcpu cpu = { .id = 0, .domain = &dom };
static struct irqs_msi asked;     /* of the last irqs_map_msi() */
static int asked_pirq, refs, unmasked;
static bool mapped[32];

unsigned irqs_count(void) { return 32; }
unsigned irqs_gsi_count(void) { return 24; }
int irqs_setup_gsi(unsigned gsi, bool level, bool low) { return gsi < 24 ? level * 2 + low : -EINVAL; }
int irqs_reserve(struct domain *d) { return 30; }
bool irqs_is_mapped(const struct domain *d, unsigned pirq) { return pirq < 32 && mapped[pirq]; }
bool irqs_needs_eoi(unsigned pirq) { return pirq == 9; }
int irqs_eoi(struct domain *d, unsigned pirq) { return pirq < 32 && mapped[pirq] ? 0 : -EINVAL; }
unsigned irqs_vector(unsigned pirq) { return pirq + 0x30; }
int irqs_restore_msi(uint16_t seg, uint8_t bus, uint8_t devfn) { return seg * 1000 + bus * 10 + devfn; }
int irqs_unmask_port(struct domain *d, unsigned pirq) { unmasked = (int)pirq; return 0; }
int irqs_set_eoi_page(struct domain *d, mfn_t m, bool auto_unmask) { return m.n == 5 ? 0 : -EINVAL; }

int irqs_map_gsi(struct domain *d, unsigned gsi)
{
    if (gsi >= 24)
        return -EINVAL;
    mapped[gsi] = true;
    return (int)gsi;
}

int irqs_map_msi(struct domain *d, int pirq, const struct irqs_msi *msi)
{
    asked = *msi;
    asked_pirq = pirq;
    return 25;
}

int irqs_unmap(struct domain *d, unsigned pirq)
{
    if (pirq >= 32 || !mapped[pirq])
        return -EINVAL;
    mapped[pirq] = false;
    return 0;
}

int irqs_ioapic_read(uint64_t maddr, uint32_t reg, uint32_t *value)
{
    *value = 0x170020;
    return maddr == 0xfec00000 && reg == 1 ? 0 : -EINVAL;
}

struct domain *domain_target(struct domain *caller, domid_t id, int *err)
{
    *err = -ESRCH;
    if (id != DOMID_SELF && id != 0)
        return NULL;
    refs++;
    return caller;
}

void domain_put(struct domain *d) { refs--; }
long refuse(struct vcpu *v, long err, const char *fmt, ...) { return err; }

long subop_run(struct hypercall *hc, const struct subop *table, unsigned n, uint64_t cmd, guest_ptr_t arg)
{
    for (unsigned i = 0; i < n; i++)
        if (table[i].cmd == cmd)
            return table[i].run(hc, (void *)(uintptr_t)arg.va);
    return -ENOSYS;
}

static long call(unsigned cmd, void *arg)
{
    struct hypercall hc = { .v = &cpu, .d = &dom, .arg = { cmd, (uintptr_t)arg } };

    return do_physdev_op(&hc);
}

static int reset(void **state)
{
    memset(mapped, 0, sizeof(mapped));
    memset(&asked, 0, sizeof(asked));
    unmasked = -1;
    dom.pirq_auto_unmask = false;
    return 0;
}

static int no_reference_left(void **state)
{
    return refs;
}

static void a_gsi_is_its_own_pirq(void **state)
{
    struct physdev_map_pirq m = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 9, .pirq = -1 };

    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), 0);
    assert_int_equal(m.pirq, 9);
    m.pirq = 10;
    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), -EEXIST);
    m.index = 11;
    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), -EINVAL);
    m = (struct physdev_map_pirq){ .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = -1, .pirq = -1 };
    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), -EINVAL);
    m.index = 24;
    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), -EINVAL);
}

static void a_message_names_its_device(void **state)
{
    struct physdev_map_pirq m = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .index = -1, .pirq = -1,
                                  .bus = 0x10003, .devfn = 0x21, .entry_nr = 2, .table_base = 0xfe000000 };

    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), 0);
    assert_int_equal(m.pirq, 25);
    assert_int_equal(asked_pirq, -1);
    assert_int_equal(asked.seg, 1);
    assert_int_equal(asked.bus, 3);
    assert_int_equal(asked.devfn, 0x21);
    assert_int_equal(asked.entry, 2);
    assert_int_equal(asked.count, 1);
    assert_int_equal(asked.table_base, 0xfe000000);
    m.type = MAP_PIRQ_TYPE_MSI;
    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), 0);
    assert_int_equal(asked.seg, 0);
    m.type = MAP_PIRQ_TYPE_MULTI_MSI;
    m.entry_nr = 8;
    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), 0);
    assert_int_equal(asked.count, 8);
    assert_int_equal(asked.entry, 0);
    assert_int_equal(asked.table_base, 0);
}

static void numbers_that_do_not_fit_are_not_cut(void **state)
{
    struct physdev_map_pirq good = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .index = -1, .pirq = -1 };
    struct physdev_map_pirq m = good;

    m.entry_nr = 0x10000;
    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), -EINVAL);
    m.entry_nr = -1;
    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), -EINVAL);
    m = good;
    m.devfn = 256;
    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), -EINVAL);
    m = good;
    m.type = 99;
    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), -EINVAL);
    m.domid = 77;
    assert_int_equal(call(PHYSDEVOP_map_pirq, &m), -ESRCH);
    assert_int_equal(asked.count, 0);
}

static void a_line_goes_back_once(void **state)
{
    struct physdev_unmap_pirq u = { .domid = DOMID_SELF, .pirq = 7 };

    assert_int_equal(call(PHYSDEVOP_unmap_pirq, &u), -EINVAL);
    mapped[7] = true;
    assert_int_equal(call(PHYSDEVOP_unmap_pirq, &u), 0);
    assert_int_equal(call(PHYSDEVOP_unmap_pirq, &u), -EINVAL);
    u.pirq = -1;
    assert_int_equal(call(PHYSDEVOP_unmap_pirq, &u), -EINVAL);
}

static void the_end_of_an_interrupt_is_its_owners(void **state)
{
    struct physdev_eoi e = { .irq = 9 };
    struct physdev_irq_status_query q = { .irq = 9 };

    assert_int_equal(call(PHYSDEVOP_eoi, &e), -EINVAL);
    mapped[9] = true;
    assert_int_equal(call(PHYSDEVOP_eoi, &e), 0);
    assert_int_equal(unmasked, -1);
    dom.pirq_auto_unmask = true;
    assert_int_equal(call(PHYSDEVOP_eoi, &e), 0);
    assert_int_equal(unmasked, 9);
    assert_int_equal(call(PHYSDEVOP_irq_status_query, &q), 0);
    assert_int_equal(q.flags, XENIRQSTAT_needs_eoi);
    q.irq = 8;
    assert_int_equal(call(PHYSDEVOP_irq_status_query, &q), 0);
    assert_int_equal(q.flags, 0);
    q.irq = 32;
    assert_int_equal(call(PHYSDEVOP_irq_status_query, &q), -EINVAL);
}

static void io_privilege_has_bounds(void **state)
{
    struct physdev_set_iopl iopl = { .iopl = 3 };
    struct physdev_set_iobitmap map = { .nr_ports = 65536 };

    assert_int_equal(call(PHYSDEVOP_set_iopl, &iopl), 0);
    assert_int_equal(cpu.iopl, 3);
    iopl.iopl = 4;
    assert_int_equal(call(PHYSDEVOP_set_iopl, &iopl), -EINVAL);
    assert_int_equal(cpu.iopl, 3);
    map.bitmap.p = (void *)0x1234;
    assert_int_equal(call(PHYSDEVOP_set_iobitmap, &map), 0);
    assert_int_equal(cpu.iobitmap, 0x1234);
    map.nr_ports = 65537;
    assert_int_equal(call(PHYSDEVOP_set_iobitmap, &map), -EINVAL);
}

static void pins_are_told_apart_and_never_written(void **state)
{
    struct physdev_apic a = { .apic_physbase = 0xfec00000, .reg = 1 };
    struct physdev_setup_gsi g = { .gsi = 9, .triggering = 1, .polarity = 1 };

    assert_int_equal(call(PHYSDEVOP_apic_read, &a), 0);
    assert_int_equal(a.value, 0x170020);
    assert_int_equal(call(PHYSDEVOP_apic_write, &a), -EPERM);
    a.apic_physbase = 0x1000;
    assert_int_equal(call(PHYSDEVOP_apic_read, &a), -EINVAL);
    assert_int_equal(call(PHYSDEVOP_setup_gsi, &g), 3);
    g.triggering = 2;
    assert_int_equal(call(PHYSDEVOP_setup_gsi, &g), -EINVAL);
    g = (struct physdev_setup_gsi){ .gsi = -1 };
    assert_int_equal(call(PHYSDEVOP_setup_gsi, &g), -EINVAL);
}

static void devices_come_and_go(void **state)
{
    struct physdev_pci_device_add add = { .seg = 0, .bus = 255, .devfn = 255 };
    struct physdev_pci_device dev = { .seg = 0, .bus = 255, .devfn = 255 };
    struct physdev_manage_pci old = { .bus = 1, .devfn = 8 };

    assert_int_equal(call(PHYSDEVOP_prepare_msix, &dev), -ENODEV);
    assert_int_equal(call(PHYSDEVOP_pci_device_add, &add), 0);
    assert_int_equal(call(PHYSDEVOP_pci_device_add, &add), 0);
    assert_int_equal(call(PHYSDEVOP_prepare_msix, &dev), 0);
    assert_int_equal(call(PHYSDEVOP_pci_device_remove, &dev), 0);
    assert_int_equal(call(PHYSDEVOP_pci_device_remove, &dev), -ENODEV);
    assert_int_equal(call(PHYSDEVOP_manage_pci_add, &old), 0);
    assert_int_equal(call(PHYSDEVOP_manage_pci_remove, &old), 0);
    assert_int_equal(call(PHYSDEVOP_manage_pci_remove, &old), -ENODEV);
    add.seg = dev.seg = 1;
    assert_int_equal(call(PHYSDEVOP_pci_device_add, &add), -ENODEV);
    assert_int_equal(call(PHYSDEVOP_pci_device_remove, &dev), -ENODEV);
}

static void only_the_owner_of_hardware_reaches_it(void **state)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        bool harmless = rows[i].cmd == PHYSDEVOP_eoi || rows[i].cmd == PHYSDEVOP_pirq_eoi_gmfn_v1 ||
                        rows[i].cmd == PHYSDEVOP_pirq_eoi_gmfn_v2 || rows[i].cmd == PHYSDEVOP_irq_status_query ||
                        rows[i].cmd == PHYSDEVOP_set_iopl || rows[i].cmd == PHYSDEVOP_set_iobitmap ||
                        rows[i].cmd == PHYSDEVOP_IRQ_UNMASK_NOTIFY;

        assert_int_equal(rows[i].needs, harmless ? PRIV_NONE : PRIV_HARDWARE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_gsi_is_its_own_pirq, reset, no_reference_left),
        cmocka_unit_test_setup_teardown(a_message_names_its_device, reset, no_reference_left),
        cmocka_unit_test_setup_teardown(numbers_that_do_not_fit_are_not_cut, reset, no_reference_left),
        cmocka_unit_test_setup_teardown(a_line_goes_back_once, reset, no_reference_left),
        cmocka_unit_test_setup(the_end_of_an_interrupt_is_its_owners, reset),
        cmocka_unit_test_setup(io_privilege_has_bounds, reset),
        cmocka_unit_test_setup(pins_are_told_apart_and_never_written, reset),
        cmocka_unit_test_setup(devices_come_and_go, reset),
        cmocka_unit_test_setup(only_the_owner_of_hardware_reaches_it, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
