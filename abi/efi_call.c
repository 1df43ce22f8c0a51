/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XENPF_efi_runtime_call: dom0 calls EFI's services for time and variables, through us, as it has neither their address nor the
 * rights they need. The services get copies in our memory, never the guest's pointers (UEFI 2.9, 8.2).
 */
#include "abi/efi_call.h"

#include "core/firmware.h"
#include "core/frame.h"
#include "core/guest.h"
#include "core/machine.h"
#include "lib/string.h"

#include <xen/platform.h>

#define NAME_MAX 1024u           /* bytes of a variable's name, with the 0 at its end: what Linux allows */
#define DATA_MAX (128u << 10)    /* bytes of a variable */

#define arg_of(p) ((uint64_t)(uintptr_t)(p))

/* ---- Variables ---- */

/* A name that ends inside NAME_MAX. */
static int read_name(guest_ptr_t from, uint16_t *name)
{
    for (unsigned i = 0; i < NAME_MAX / sizeof(*name); i++) {
        if (guest_read(&name[i], gptr_plus(from, i * sizeof(*name)), sizeof(*name)))
            return -EFAULT;
        if (!name[i])
            return 0;
    }
    return -EINVAL;
}

/* Status and size come back whatever the service says; data only of a success. */
static long get_variable(struct xenpf_efi_runtime_call *c, uint16_t *name, void *data)
{
    struct xenpf_efi_guid vendor = c->u.get_variable.vendor_guid;
    uint64_t room = MIN(c->u.get_variable.size, (uint64_t)DATA_MAX), size = room;
    uint32_t attributes = 0;
    int err = read_name(handle_ptr(c->u.get_variable.name), name);

    if (err)
        return err;
    c->status = machine_efi_call(EFI_GET_VARIABLE, (uint64_t[5]){ arg_of(name), arg_of(&vendor), arg_of(&attributes),
                                                                 arg_of(&size), arg_of(data) });
    c->misc = attributes;
    c->u.get_variable.size = size;
    return c->status || size > room ? 0 : guest_write(handle_ptr(c->u.get_variable.data), data, size);
}

static long set_variable(struct xenpf_efi_runtime_call *c, uint16_t *name, void *data)
{
    struct xenpf_efi_guid vendor = c->u.set_variable.vendor_guid;
    uint64_t size = c->u.set_variable.size;
    int err = read_name(handle_ptr(c->u.set_variable.name), name);

    if (err)
        return err;
    if (size > DATA_MAX)
        return -E2BIG;
    if (guest_read(data, handle_ptr(c->u.set_variable.data), size))
        return -EFAULT;
    c->status = machine_efi_call(EFI_SET_VARIABLE, (uint64_t[5]){ arg_of(name), arg_of(&vendor), c->misc, size,
                                                                 arg_of(data) });
    return 0;
}

static long next_variable(struct xenpf_efi_runtime_call *c, uint16_t *name)
{
    struct xenpf_efi_guid vendor = c->u.get_next_variable_name.vendor_guid;
    uint64_t room = MIN(c->u.get_next_variable_name.size, (uint64_t)NAME_MAX), size = room;
    int err = read_name(handle_ptr(c->u.get_next_variable_name.name), name);

    if (err)
        return err;
    c->status = machine_efi_call(EFI_NEXT_VARIABLE, (uint64_t[5]){ arg_of(&size), arg_of(name), arg_of(&vendor) });
    c->u.get_next_variable_name.size = size;
    if (c->status || size > room)
        return 0;
    c->u.get_next_variable_name.vendor_guid = vendor;
    return guest_write(handle_ptr(c->u.get_next_variable_name.name), name, size);
}

static long query_variables(struct xenpf_efi_runtime_call *c)
{
    uint64_t all = 0, left = 0, one = 0;

    if (c->misc & ~XEN_EFI_VARINFO_BOOT_SNAPSHOT)
        return -EINVAL;
    c->status = machine_efi_call(EFI_QUERY_VARIABLES, (uint64_t[5]){ c->u.query_variable_info.attr, arg_of(&all),
                                                                    arg_of(&left), arg_of(&one) });
    c->u.query_variable_info.max_store_size = all;
    c->u.query_variable_info.remain_store_size = left;
    c->u.query_variable_info.max_size = one;
    return 0;
}

/* ---- Time ---- */

/* The ABI's structure is EFI's (UEFI 2.9, 8.3), but that its bytes of padding have no names. */
_Static_assert(sizeof(struct xenpf_efi_time) == 16 && offsetof(struct xenpf_efi_time, ns) == 8 &&
               offsetof(struct xenpf_efi_time, daylight) == 14, "services take it as it is");

struct time_capabilities { uint32_t resolution, accuracy; uint8_t sets_to_zero; };

static long get_time(struct xenpf_efi_runtime_call *c)
{
    struct xenpf_efi_time time = { 0 };
    struct time_capabilities can = { 0 };

    if (c->misc)
        return -EINVAL;
    c->status = machine_efi_call(EFI_GET_TIME, (uint64_t[5]){ arg_of(&time), arg_of(&can) });
    c->misc = can.sets_to_zero ? XEN_EFI_GET_TIME_SET_CLEARS_NS : 0;
    c->u.get_time.time = time;
    c->u.get_time.resolution = can.resolution;
    c->u.get_time.accuracy = can.accuracy;
    return 0;
}

static long set_time(struct xenpf_efi_runtime_call *c)
{
    struct xenpf_efi_time time = c->u.set_time;

    if (c->misc)
        return -EINVAL;
    c->status = machine_efi_call(EFI_SET_TIME, (uint64_t[5]){ arg_of(&time) });
    return 0;
}

static long get_wakeup(struct xenpf_efi_runtime_call *c)
{
    struct xenpf_efi_time time = { 0 };
    uint8_t enabled = 0, pending = 0;

    if (c->misc)
        return -EINVAL;
    c->status = machine_efi_call(EFI_GET_WAKEUP, (uint64_t[5]){ arg_of(&enabled), arg_of(&pending), arg_of(&time) });
    c->misc = (enabled ? XEN_EFI_GET_WAKEUP_TIME_ENABLED : 0) | (pending ? XEN_EFI_GET_WAKEUP_TIME_PENDING : 0);
    c->u.get_wakeup_time = time;
    return 0;
}

/* Enables it, at this time or at the one that it has; or disables it. */
static long set_wakeup(struct xenpf_efi_runtime_call *c)
{
    struct xenpf_efi_time time = c->u.set_wakeup_time;
    bool enable = c->misc & XEN_EFI_SET_WAKEUP_TIME_ENABLE, same = c->misc & XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY;

    if (c->misc & ~(XEN_EFI_SET_WAKEUP_TIME_ENABLE | XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY))
        return -EINVAL;
    c->status = machine_efi_call(EFI_SET_WAKEUP, (uint64_t[5]){ enable, same ? 0 : arg_of(&time) });
    return 0;
}

static long next_count(struct xenpf_efi_runtime_call *c)
{
    uint32_t count = 0;

    if (c->misc)
        return -EINVAL;
    c->status = machine_efi_call(EFI_NEXT_COUNT, (uint64_t[5]){ arg_of(&count) });
    c->misc = count;
    return 0;
}

/* ---- Which of them ---- */

/* The service of one variable, with room for its data in our memory. */
static long with_data(struct xenpf_efi_runtime_call *c, uint16_t *name)
{
    void *data = hv_alloc(DATA_MAX);
    long rc;

    if (!data)
        return -ENOMEM;
    rc = c->function == XEN_EFI_get_variable ? get_variable(c, name, data) : set_variable(c, name, data);
    hv_free(data, DATA_MAX);
    return rc;
}

static long with_name(struct xenpf_efi_runtime_call *c, long (*run)(struct xenpf_efi_runtime_call *, uint16_t *))
{
    uint16_t *name = hv_alloc(NAME_MAX);
    long rc;

    if (!name)
        return -ENOMEM;
    rc = run(c, name);
    hv_free(name, NAME_MAX);
    return rc;
}

long efi_call(struct hypercall *hc, struct xenpf_efi_runtime_call *c)
{
    if (!machine_has_efi())
        return -ENOSYS;
    switch (c->function) {
    case XEN_EFI_get_time:               return get_time(c);
    case XEN_EFI_set_time:               return set_time(c);
    case XEN_EFI_get_wakeup_time:        return get_wakeup(c);
    case XEN_EFI_set_wakeup_time:        return set_wakeup(c);
    case XEN_EFI_get_next_high_monotonic_count: return next_count(c);
    case XEN_EFI_get_variable:
    case XEN_EFI_set_variable:           return with_name(c, with_data);
    case XEN_EFI_get_next_variable_name: return with_name(c, next_variable);
    case XEN_EFI_query_variable_info:    return query_variables(c);
    default:
        return refuse(hc->v, -EOPNOTSUPP, "EFI service %u", c->function);
    }
}
