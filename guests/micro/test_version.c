/* SPDX-License-Identifier: BSD-2-Clause */
/* xen_version: every sub-operation, what it must say to the stock kernel and tools, and its refusals. */

#include "micro.h"

#include <xen/features.h>
#include <xen/version.h>

static long version(unsigned int cmd, void *arg)
{
    return hypercall(__HYPERVISOR_xen_version, cmd, arg);
}

static bool contains(const char *text, const char *word)
{
    size_t len = strlen(word);

    for (; *text; text++)
        if (!strncmp(text, word, len))
            return true;
    return false;
}

TEST(version)
{
    EXPECT_EQ(version(XENVER_version, NULL), 4 << 16 | 17);
}

TEST(extraversion)
{
    xen_extraversion_t extra;

    memset(extra, 'x', sizeof(extra));
    EXPECT_EQ(version(XENVER_extraversion, extra), 0);
    EXPECT_EQ(extra[sizeof(extra) - 1], 0);
    EXPECT_EQ(version(XENVER_extraversion, (void *)8), -XEN_EFAULT);
}

TEST(compile_info)
{
    struct xen_compile_info info;

    memset(&info, 'x', sizeof(info));
    EXPECT_EQ(version(XENVER_compile_info, &info), 0);
    EXPECT_EQ(info.compiler[sizeof(info.compiler) - 1], 0);
    EXPECT_EQ(info.compile_by[sizeof(info.compile_by) - 1], 0);
    EXPECT_EQ(info.compile_domain[sizeof(info.compile_domain) - 1], 0);
    EXPECT_EQ(info.compile_date[sizeof(info.compile_date) - 1], 0);
    EXPECT(strlen(info.compiler) > 0);
    EXPECT_EQ(version(XENVER_compile_info, (void *)8), -XEN_EFAULT);
}

TEST(capabilities)
{
    static xen_capabilities_info_t caps;

    memset(caps, 'x', sizeof(caps));
    EXPECT_EQ(version(XENVER_capabilities, caps), 0);
    EXPECT_EQ(caps[sizeof(caps) - 1], 0);
    EXPECT(contains(caps, "xen-3.0-x86_64 "));
    EXPECT(!contains(caps, "xen-3.0-x86_32p"));
    obs_str("string", caps);
    EXPECT_EQ(version(XENVER_capabilities, (void *)8), -XEN_EFAULT);
}

TEST(changeset)
{
    xen_changeset_info_t info;

    memset(info, 'x', sizeof(info));
    EXPECT_EQ(version(XENVER_changeset, info), 0);
    EXPECT_EQ(info[sizeof(info) - 1], 0);
    EXPECT_EQ(version(XENVER_changeset, (void *)8), -XEN_EFAULT);
}

TEST(platform_parameters)
{
    struct xen_platform_parameters p = { 0 };

    EXPECT_EQ(version(XENVER_platform_parameters, &p), 0);
    EXPECT_EQ(p.virt_start, 0xffff800000000000);
    EXPECT_EQ(version(XENVER_platform_parameters, (void *)8), -XEN_EFAULT);
}

TEST(features)
{
    struct xen_feature_info f = { .submap_idx = 0, .submap = ~0u };

    EXPECT_EQ(version(XENVER_get_features, &f), 0);
    EXPECT(f.submap & (1u << XENFEAT_mmu_pt_update_preserve_ad));
    EXPECT(f.submap & (1u << XENFEAT_gnttab_map_avail_bits));
    EXPECT(!(f.submap & (1u << XENFEAT_writable_page_tables)));
    EXPECT(!(f.submap & (1u << XENFEAT_auto_translated_physmap)));
    EXPECT(f.submap & (1u << XENFEAT_memory_op_vnode_supported));
    EXPECT(f.submap & (1u << XENFEAT_direct_mapped));
    EXPECT_EQ(!!(f.submap & (1u << XENFEAT_dom0)), is_dom0());
    obs("submap0", (long)f.submap);

    f.submap_idx = 1;
    f.submap = ~0u;
    EXPECT_EQ(version(XENVER_get_features, &f), -XEN_EINVAL);
    f.submap_idx = ~0u;
    EXPECT_EQ(version(XENVER_get_features, &f), -XEN_EINVAL);
    EXPECT_EQ(version(XENVER_get_features, (void *)8), -XEN_EFAULT);
}

TEST(pagesize)
{
    EXPECT_EQ(version(XENVER_pagesize, NULL), 4096);
}

TEST(guest_handle)
{
    xen_domain_handle_t handle;
    unsigned int i, sum = 0;

    memset(handle, 0xee, sizeof(handle));
    EXPECT_EQ(version(XENVER_guest_handle, handle), 0);
    for (i = 0; i < sizeof(handle); i++)
        sum |= handle[i];
    if (is_dom0())
        EXPECT_EQ(sum, 0);
    EXPECT_EQ(version(XENVER_guest_handle, (void *)8), -XEN_EFAULT);
}

TEST(commandline)
{
    static xen_commandline_t line;

    if (!is_dom0()) {
        EXPECT_EQ(version(XENVER_commandline, line), 0);
        obs_str("denied", line);
        return;
    }
    memset(line, 'x', sizeof(line));
    EXPECT_EQ(version(XENVER_commandline, line), 0);
    EXPECT_EQ(line[sizeof(line) - 1], 0);
    EXPECT(contains(line, "com1"));
    EXPECT_EQ(version(XENVER_commandline, (void *)8), -XEN_EFAULT);
}

TEST(build_id)
{
    struct {
        uint32_t len;
        unsigned char bytes[64];
    } id = { .len = sizeof(id.bytes) };

    if (!is_dom0()) {
        EXPECT_EQ(version(XENVER_build_id, &id), -XEN_EPERM);
        return;
    }
    EXPECT_EQ(version(XENVER_build_id, &id), 20);
    EXPECT_EQ(version(XENVER_build_id, NULL), 20);
    id.len = 4;
    EXPECT_EQ(version(XENVER_build_id, &id), -XEN_ENOBUFS);
    id.len = 0;
    EXPECT_EQ(version(XENVER_build_id, &id), -XEN_EINVAL);
    EXPECT_EQ(version(XENVER_build_id, (void *)8), -XEN_EFAULT);
}

TEST(unknown)
{
    EXPECT_EQ(version(11, NULL), -XEN_ENOSYS);
    EXPECT_EQ(version(~0u, NULL), -XEN_ENOSYS);
}
