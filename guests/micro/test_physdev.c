/* SPDX-License-Identifier: BSD-2-Clause */
/* physdev_op: interrupts and devices of the machine, as dom0 asks for them. */

#include "event.h"
#include "mm.h"

#include <xen/physdev.h>

static long physdev(unsigned int cmd, void *arg)
{
    return hypercall(__HYPERVISOR_physdev_op, cmd, arg);
}

static long map_gsi(int gsi, int pirq, int *got)
{
    struct physdev_map_pirq m = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = gsi,
                                  .pirq = pirq };
    long rc = physdev(PHYSDEVOP_map_pirq, &m);

    if (got)
        *got = m.pirq;
    return rc;
}

static long unmap_pirq(int pirq)
{
    struct physdev_unmap_pirq u = { .domid = DOMID_SELF, .pirq = pirq };

    return physdev(PHYSDEVOP_unmap_pirq, &u);
}

TEST(unknown)
{
    EXPECT_EQ(physdev(99, NULL), -XEN_ENOSYS);
    EXPECT_EQ(physdev(~0u, NULL), -XEN_ENOSYS);
}

TEST(apic)
{
    struct physdev_apic a = { .apic_physbase = 0xfec00000, .reg = 0 };

    if (!is_dom0()) {
        EXPECT_EQ(physdev(PHYSDEVOP_apic_read, &a), -XEN_EPERM);
        return;
    }
    a.reg = 1;
    EXPECT_EQ(physdev(PHYSDEVOP_apic_read, &a), 0);
    EXPECT_EQ((a.value >> 16) & 0xff, 23);              /* 24 entries */
    obs("version", a.value);
    a.reg = 0;
    EXPECT_EQ(physdev(PHYSDEVOP_apic_read, &a), 0);
    obs("id", a.value);
    a.reg = 0x12;
    obs("rte_read", physdev(PHYSDEVOP_apic_read, &a));
    a.apic_physbase = 0x1000;
    EXPECT_EQ(physdev(PHYSDEVOP_apic_read, &a), -XEN_EINVAL);
    EXPECT_EQ(physdev(PHYSDEVOP_apic_read, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(physdev(PHYSDEVOP_apic_write, (void *)8), -XEN_EFAULT);
}

TEST(map_gsi)
{
    struct physdev_setup_gsi gsi = { .gsi = 9, .triggering = 1, .polarity = 1 };
    struct physdev_irq_status_query status = { .irq = 9 };
    struct evtchn_bind_pirq bind = { .pirq = 9, .flags = BIND_PIRQ__WILL_SHARE };
    struct physdev_eoi eoi = { .irq = 9 };
    int pirq = -1;

    if (!is_dom0()) {
        obs("domu", map_gsi(9, 9, NULL));
        return;
    }
    EXPECT_EQ(map_gsi(9, 9, &pirq), 0);
    EXPECT_EQ(pirq, 9);
    EXPECT_EQ(map_gsi(9, 9, &pirq), 0);                 /* again is the same */
    EXPECT_EQ(map_gsi(9, 10, NULL), -XEN_EEXIST);
    EXPECT_EQ(physdev(PHYSDEVOP_setup_gsi, &gsi), 0);
    obs("setup_again", physdev(PHYSDEVOP_setup_gsi, &gsi));
    EXPECT_EQ(physdev(PHYSDEVOP_irq_status_query, &status), 0);
    obs("status", status.flags);
    if (EXPECT_EQ(evtchn(EVTCHNOP_bind_pirq, &bind), 0)) {
        struct evtchn_status s = { .dom = DOMID_SELF, .port = bind.port };
        struct evtchn_bind_pirq twice = bind;

        EXPECT_EQ(evtchn(EVTCHNOP_status, &s), 0);
        EXPECT_EQ(s.status, EVTCHNSTAT_pirq);
        EXPECT_EQ(s.u.pirq, 9);
        EXPECT_EQ(evtchn(EVTCHNOP_bind_pirq, &twice), -XEN_EEXIST);
        EXPECT_EQ(physdev(PHYSDEVOP_eoi, &eoi), 0);
        EXPECT_EQ(port_close(bind.port), 0);
    }
    EXPECT_EQ(unmap_pirq(9), 0);
    obs("unmap_again", unmap_pirq(9));
    EXPECT_EQ(map_gsi(9, 9, NULL), -XEN_EPERM);         /* the right to it went with it */
}

TEST(map_errors)
{
    struct physdev_map_pirq m = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 5000, .pirq = -1 };
    int pirq = -1;

    if (!is_dom0())
        return;
    EXPECT_EQ(physdev(PHYSDEVOP_map_pirq, &m), -XEN_EINVAL);
    m.index = 9;
    m.type = 99;
    EXPECT_EQ(physdev(PHYSDEVOP_map_pirq, &m), -XEN_EINVAL);
    m.type = MAP_PIRQ_TYPE_GSI;
    m.domid = 77;
    EXPECT_EQ(physdev(PHYSDEVOP_map_pirq, &m), -XEN_ESRCH);
    EXPECT_EQ(physdev(PHYSDEVOP_map_pirq, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(physdev(PHYSDEVOP_unmap_pirq, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(unmap_pirq(-1), -XEN_EINVAL);
    EXPECT_EQ(unmap_pirq(1 << 20), -XEN_EINVAL);
    EXPECT_EQ(map_gsi(12, -1, &pirq), 0);               /* any pirq */
    obs("any_pirq", pirq);
    EXPECT_EQ(unmap_pirq(pirq), 0);
    m = (struct physdev_map_pirq){ .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .index = -1,
                                   .pirq = -1,
                                   .bus = 5, .devfn = 0x10 };
    obs("msi_of_nothing", physdev(PHYSDEVOP_map_pirq, &m));
}

TEST(irq_ops)
{
    struct physdev_irq_status_query status = { .irq = 5000 };
    struct physdev_eoi eoi = { .irq = 5000 };
    struct physdev_irq irq = { .irq = 4 };
    struct physdev_setup_gsi gsi = { .gsi = 5000 };
    struct physdev_get_free_pirq pirq = { .type = MAP_PIRQ_TYPE_GSI };

    EXPECT_EQ(physdev(PHYSDEVOP_irq_status_query, &status), -XEN_EINVAL);
    EXPECT_EQ(physdev(PHYSDEVOP_eoi, &eoi), -XEN_EINVAL);
    EXPECT_EQ(physdev(PHYSDEVOP_eoi, (void *)8), -XEN_EFAULT);
    if (!is_dom0())
        return;
    EXPECT_EQ(physdev(PHYSDEVOP_alloc_irq_vector, &irq), 0);
    irq.irq = 5000;
    obs("alloc_vector_bad", physdev(PHYSDEVOP_alloc_irq_vector, &irq));
    EXPECT_EQ(physdev(PHYSDEVOP_free_irq_vector, &irq), -XEN_ENOSYS);
    EXPECT_EQ(physdev(PHYSDEVOP_setup_gsi, &gsi), -XEN_EINVAL);
    obs("get_free_pirq", physdev(PHYSDEVOP_get_free_pirq, &pirq));
    obs("free_pirq", (long)pirq.pirq);
    pirq.type = 99;
    obs("get_free_pirq_bad", physdev(PHYSDEVOP_get_free_pirq, &pirq));
    obs("irq_unmask_notify", physdev(PHYSDEVOP_IRQ_UNMASK_NOTIFY, NULL));
}

/* A page of ours tells which pirqs need an EOI call; it is then the hypervisor's to write. */
TEST(eoi_page)
{
    struct physdev_pirq_eoi_gmfn op = { .gmfn = ~0UL };
    void *page = page_alloc();

    EXPECT_EQ(physdev(PHYSDEVOP_pirq_eoi_gmfn_v2, &op), -XEN_EINVAL);
    EXPECT_EQ(physdev(PHYSDEVOP_pirq_eoi_gmfn_v2, (void *)8), -XEN_EFAULT);
    op.gmfn = mfn_of(page);
    EXPECT_EQ(physdev(PHYSDEVOP_pirq_eoi_gmfn_v2, &op), 0);
    EXPECT_EQ(physdev(PHYSDEVOP_pirq_eoi_gmfn_v2, &op), -XEN_EBUSY);
    EXPECT_EQ(physdev(PHYSDEVOP_pirq_eoi_gmfn_v1, &op), -XEN_EBUSY);
}

TEST(pci)
{
    struct physdev_pci_device_add add = { .seg = 0, .bus = 0, .devfn = 0 };
    struct physdev_manage_pci old = { .bus = 0, .devfn = 8 };
    struct physdev_pci_device dev = { .seg = 0, .bus = 0, .devfn = 0 };
    struct physdev_pci_mmcfg_reserved mmcfg = { .address = 0xb0000000, .segment = 0, .start_bus = 0,
                                                .end_bus = 255 };
    struct physdev_restore_msi msi = { .bus = 0, .devfn = 0xf8 };

    if (!is_dom0()) {
        EXPECT_EQ(physdev(PHYSDEVOP_pci_device_add, &add), -XEN_EPERM);
        return;
    }
    EXPECT_EQ(physdev(PHYSDEVOP_pci_device_add, &add), 0);
    EXPECT_EQ(physdev(PHYSDEVOP_pci_device_add, &add), 0);
    EXPECT_EQ(physdev(PHYSDEVOP_manage_pci_add, &old), 0);
    EXPECT_EQ(physdev(PHYSDEVOP_manage_pci_remove, &old), 0);
    obs("remove_again", physdev(PHYSDEVOP_manage_pci_remove, &old));
    obs("mmcfg_reserved", physdev(PHYSDEVOP_pci_mmcfg_reserved, &mmcfg));
    obs("restore_msi", physdev(PHYSDEVOP_restore_msi, &msi));
    dev.devfn = 0xf8;
    obs("remove_nothing", physdev(PHYSDEVOP_pci_device_remove, &dev));
    obs("prepare_msix", physdev(PHYSDEVOP_prepare_msix, &dev));
    obs("release_msix", physdev(PHYSDEVOP_release_msix, &dev));
    obs("restore_msi_ext", physdev(PHYSDEVOP_restore_msi_ext, &dev));
    EXPECT_EQ(physdev(PHYSDEVOP_pci_device_add, (void *)8), -XEN_EFAULT);
    EXPECT_EQ(physdev(PHYSDEVOP_pci_device_remove, (void *)8), -XEN_EFAULT);
}

TEST(debug_port)
{
    struct physdev_dbgp_op op = { .op = PHYSDEVOP_DBGP_RESET_PREPARE, .bus = PHYSDEVOP_DBGP_BUS_UNKNOWN };

    obs("unknown_bus", physdev(PHYSDEVOP_dbgp_op, &op));
    op.bus = 99;
    obs("bad_bus", physdev(PHYSDEVOP_dbgp_op, &op));
}
