/* SPDX-License-Identifier: BSD-2-Clause */
/* HYPERVISOR_physdev_op: interrupt lines, I/O privilege, and what dom0 tells of the PCI devices. */
#include "abi/hypercall.h"
#include "core/irqs.h"
#include "core/pcidev.h"

#include <xen/physdev.h>

#define IO_PORTS  65536u

/* ---- End of interrupt ---- */

static long physdev_eoi(struct hypercall *hc, void *arg)
{
    const struct physdev_eoi *op = arg;
    int err = irqs_eoi(hc->d, op->irq);

    if (err)
        return refuse(hc->v, err, "end of interrupt for pirq %u, which is not its own", op->irq);
    return hc->d->pirq_auto_unmask ? irqs_unmask_port(hc->d, op->irq) : 0;
}

static long eoi_page(struct hypercall *hc, const struct physdev_pirq_eoi_gmfn *op, bool auto_unmask)
{
    int err = irqs_set_eoi_page(hc->d, mfn(op->gmfn), auto_unmask);

    if (err)
        return refuse(hc->v, err, "needs-EOI page at frame %#lx", op->gmfn);
    return 0;
}

static long physdev_eoi_page_v1(struct hypercall *hc, void *arg) { return eoi_page(hc, arg, true); }
static long physdev_eoi_page_v2(struct hypercall *hc, void *arg) { return eoi_page(hc, arg, false); }

static long physdev_irq_status(struct hypercall *hc, void *arg)
{
    struct physdev_irq_status_query *op = arg;

    if (op->irq >= irqs_count())
        return refuse(hc->v, -EINVAL, "status of pirq %u of %u", op->irq, irqs_count());
    op->flags = irqs_needs_eoi(op->irq) ? XENIRQSTAT_needs_eoi : 0;
    return 0;
}

/* ---- I/O privilege ---- */

static long physdev_iopl(struct hypercall *hc, void *arg)
{
    const struct physdev_set_iopl *op = arg;

    if (op->iopl > 3)
        return refuse(hc->v, -EINVAL, "I/O privilege level %u", op->iopl);
    hc->v->iopl = op->iopl;
    return 0;
}

static long physdev_iobitmap(struct hypercall *hc, void *arg)
{
    const struct physdev_set_iobitmap *op = arg;

    if (op->nr_ports > IO_PORTS)
        return refuse(hc->v, -EINVAL, "bitmap of %u ports", op->nr_ports);
    hc->v->iobitmap = handle_ptr(op->bitmap).va;
    hc->v->iobitmap_ports = op->nr_ports;
    return 0;
}

/* ---- Pins and vectors ---- */

static long physdev_apic_read(struct hypercall *hc, void *arg)
{
    struct physdev_apic *op = arg;
    int err = irqs_ioapic_read(op->apic_physbase, op->reg, &op->value);

    if (err)
        return refuse(hc->v, err, "register %u of an I/O APIC at %#lx", op->reg, op->apic_physbase);
    return 0;
}

/* Pins are programmed with setup_gsi and map_pirq; what a guest would write here, we have written. */
static long physdev_apic_write(struct hypercall *hc, void *arg)
{
    const struct physdev_apic *op = arg;

    return refuse(hc->v, -EPERM, "write of %#x to I/O APIC register %u", op->value, op->reg);
}

static long physdev_alloc_vector(struct hypercall *hc, void *arg)
{
    struct physdev_irq *op = arg;

    op->vector = irqs_vector(op->irq); /* mapping a line gives it one: this only tells */
    return 0;
}

static long physdev_setup(struct hypercall *hc, void *arg)
{
    const struct physdev_setup_gsi *op = arg;

    if (op->gsi < 0 || op->triggering > 1 || op->polarity > 1)
        return refuse(hc->v, -EINVAL, "GSI %d, trigger %u, polarity %u", op->gsi, op->triggering,
                      op->polarity);
    return irqs_setup_gsi((unsigned)op->gsi, op->triggering, op->polarity);
}

/* ---- Who has which line ---- */

static long map_gsi(struct hypercall *hc, struct domain *d, struct physdev_map_pirq *op)
{
    int rc;

    if (op->index < 0 || (op->pirq >= 0 && op->pirq != op->index))
        return refuse(hc->v, op->index >= 0 && irqs_is_mapped(d, (unsigned)op->index) ? -EEXIST : -EINVAL,
                      "GSI %d as pirq %d", op->index, op->pirq);
    rc = irqs_map_gsi(d, (unsigned)op->index);
    if (rc < 0)
        return refuse(hc->v, rc, "GSI %d", op->index);
    op->pirq = rc;
    return 0;
}

static long map_msi(struct hypercall *hc, struct domain *d, struct physdev_map_pirq *op)
{
    bool multi = op->type == MAP_PIRQ_TYPE_MULTI_MSI;
    struct irqs_msi msi = {
        .seg = op->type == MAP_PIRQ_TYPE_MSI ? 0 : (uint16_t)((uint32_t)op->bus >> 16),
        .bus = (uint8_t)op->bus,
        .devfn = (uint8_t)op->devfn,
        .table_base = multi ? 0 : op->table_base,
        .entry = multi ? 0 : (uint16_t)op->entry_nr,
        .count = multi ? (uint16_t)op->entry_nr : 1,
    };
    int rc;

    if (op->entry_nr < 0 || op->entry_nr > 0xffff || op->devfn < 0 || op->devfn > 0xff)
        return refuse(hc->v, -EINVAL, "MSI entry %d of device function %d", op->entry_nr, op->devfn);
    rc = irqs_map_msi(d, op->pirq, &msi);
    if (rc < 0)
        return refuse(hc->v, rc, "MSI%s %u of %02x:%02x.%u, %u in a row", msi.table_base ? "-X" : "",
                      msi.entry, msi.bus, msi.devfn >> 3, msi.devfn & 7, msi.count);
    op->pirq = rc;
    return 0;
}

static long physdev_map(struct hypercall *hc, void *arg)
{
    struct physdev_map_pirq *op = arg;
    struct domain *d;
    int err = 0;
    long rc;

    d = domain_target(hc->d, op->domid, &err);
    if (!d)
        return refuse(hc->v, err, "pirq for domain %u", op->domid);
    switch (op->type) {
    case MAP_PIRQ_TYPE_GSI:
        rc = map_gsi(hc, d, op);
        break;
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
    case MAP_PIRQ_TYPE_MULTI_MSI:
        rc = map_msi(hc, d, op);
        break;
    default:
        rc = refuse(hc->v, -EINVAL, "pirq of type %d", op->type);
    }
    domain_put(d);
    return rc;
}

static long physdev_unmap(struct hypercall *hc, void *arg)
{
    const struct physdev_unmap_pirq *op = arg;
    struct domain *d;
    int err = 0;

    d = domain_target(hc->d, op->domid, &err);
    if (!d)
        return refuse(hc->v, err, "pirq of domain %u", op->domid);
    err = op->pirq < 0 ? -EINVAL : irqs_unmap(d, (unsigned)op->pirq);
    domain_put(d);
    return err ? refuse(hc->v, err, "release of pirq %d", op->pirq) : 0;
}

static long physdev_free_pirq(struct hypercall *hc, void *arg)
{
    struct physdev_get_free_pirq *op = arg;
    int rc = irqs_reserve(hc->d);

    if (rc < 0)
        return refuse(hc->v, rc, "no pirq is free");
    op->pirq = (uint32_t)rc;
    return 0;
}

/* ---- Devices ---- */

static long physdev_add(struct hypercall *hc, void *arg)
{
    const struct physdev_pci_device_add *op = arg;

    return pcidev_add(op->seg, op->bus, op->devfn);
}

static long physdev_manage_add(struct hypercall *hc, void *arg)
{
    const struct physdev_manage_pci *op = arg;

    return pcidev_add(0, op->bus, op->devfn);
}

static long physdev_manage_add_ext(struct hypercall *hc, void *arg)
{
    const struct physdev_manage_pci_ext *op = arg;

    return pcidev_add(0, op->bus, op->devfn);
}

static long physdev_remove(struct hypercall *hc, void *arg)
{
    const struct physdev_pci_device *op = arg;

    return pcidev_remove(op->seg, op->bus, op->devfn);
}

static long physdev_manage_remove(struct hypercall *hc, void *arg)
{
    const struct physdev_manage_pci *op = arg;

    return pcidev_remove(0, op->bus, op->devfn);
}

/* MSI-X tables are looked at when an entry is mapped: that they stay where they are changes nothing. */
static long physdev_msix(struct hypercall *hc, void *arg)
{
    const struct physdev_pci_device *op = arg;

    return pcidev_known(op->seg, op->bus, op->devfn) ? 0 : -ENODEV;
}

/* Of no interest here: MMCONFIG is not used, nor is a debug port or the obsolete unmask notice. */
static long physdev_noted(struct hypercall *hc, void *arg)
{
    return 0;
}

static long physdev_restore(struct hypercall *hc, void *arg)
{
    const struct physdev_restore_msi *op = arg;

    return irqs_restore_msi(0, op->bus, op->devfn);
}

static long physdev_restore_ext(struct hypercall *hc, void *arg)
{
    const struct physdev_pci_device *op = arg;

    return irqs_restore_msi(op->seg, op->bus, op->devfn);
}

/* ---- The family ---- */

static const struct subop rows[] = {
#define ROW SUBOP_ROW
#define ROW0 SUBOP_ROW0
#include "abi/table/physdev_op.def"
#undef ROW
#undef ROW0
};

long do_physdev_op(struct hypercall *hc)
{
    return subop_run(hc, rows, ARRAY_SIZE(rows), (uint32_t)hc->arg[0], gptr(hc->arg[1]));
}
