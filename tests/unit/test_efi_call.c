/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What dom0 learns of EFI firmware and asks of its services, by hypercall. The services below are a firmware with one
 * variable, which checks that it is given the hypervisor's memory and no more room than there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/hosted.h"

#include "abi/hypercall.h"
#include "core/firmware.h"

#include <xen/platform.h>

#define VA(page)  ((uint64_t)(page) << PAGE_SHIFT)
#define ERROR(n)  (1ull << 63 | (n))
#define TOO_SMALL ERROR(5)
#define NOT_FOUND ERROR(14)
#define NAME_MAX  1024u
#define DATA_MAX  (128u << 10)

enum { PAGES = 64, OP = 20, NAME = 24, DATA = 26 };

static struct guest d;
static struct xen_platform_op *op;
static uint16_t *name;
static char *data;

/* ---- The firmware ---- */

static uint16_t var_name[NAME_MAX / 2];
static char var_data[64];
static uint64_t var_size;
static uint32_t var_attr;
static bool var_there;
static unsigned called;

static uint64_t get(const uint64_t arg[5])
{
    uint64_t *size = (uint64_t *)arg[3];
    uint64_t room = *size;

    memset((void *)arg[4], 0x55, room); /* all the room that it is told of */
    if (!var_there || memcmp((void *)arg[0], var_name, 16))
        return NOT_FOUND;
    *size = var_size;
    if (room < var_size)
        return TOO_SMALL;
    memcpy((void *)arg[4], var_data, var_size);
    *(uint32_t *)arg[2] = var_attr;
    return 0;
}

static uint64_t set(const uint64_t arg[5])
{
    memcpy(var_name, (void *)arg[0], sizeof(var_name));
    var_attr = (uint32_t)arg[2];
    var_size = arg[3];
    memcpy(var_data, (void *)arg[4], MIN(var_size, sizeof(var_data)));
    var_there = true;
    return 0;
}

static uint64_t next(const uint64_t arg[5])
{
    uint64_t *size = (uint64_t *)arg[0], room = *size;

    if (*(uint16_t *)arg[1])
        return NOT_FOUND;
    memset((void *)arg[1], 0, room);
    *size = 16;
    if (room < 16)
        return TOO_SMALL;
    memcpy((void *)arg[1], var_name, 16);
    memset((void *)arg[2], 0x77, 16);
    return 0;
}

/* EFI_TIME as UEFI 2.9, 8.3 has it. */
struct efi_time {
    uint16_t year;
    uint8_t month, day, hour, minute, second, pad1;
    uint32_t ns;
    int16_t zone;
    uint8_t daylight, pad2;
};

static const struct efi_time some_time = { 2031, 2, 3, 4, 5, 6, 0, 7, -90, 1, 0 };
static struct efi_time clock_time, wakeup;
static uint64_t alarm_set; /* of EFI_SET_WAKEUP: whether to enable it, and 2 if there was no time */
static uint8_t alarm_on, alarm_rang;

static uint64_t get_clock(const uint64_t arg[5])
{
    uint8_t *can = (uint8_t *)arg[1];

    *(struct efi_time *)arg[0] = some_time;
    memcpy(can, &(uint32_t){ 1 }, 4);
    memcpy(can + 4, &(uint32_t){ 50000000 }, 4);
    can[8] = 1;
    return 0;
}

static uint64_t get_alarm(const uint64_t arg[5])
{
    *(uint8_t *)arg[0] = alarm_on;
    *(uint8_t *)arg[1] = alarm_rang;
    *(struct efi_time *)arg[2] = some_time;
    return 0;
}

static uint64_t set_alarm(const uint64_t arg[5])
{
    alarm_set = arg[0] | (arg[1] ? 0 : 2);
    if (arg[1])
        wakeup = *(struct efi_time *)arg[1];
    return 0;
}

static uint64_t firmware(enum efi_service service, const uint64_t arg[5])
{
    called++;
    switch (service) {
    case EFI_GET_TIME:      return get_clock(arg);
    case EFI_SET_TIME:      clock_time = *(struct efi_time *)arg[0]; return ERROR(2);
    case EFI_GET_WAKEUP:    return get_alarm(arg);
    case EFI_SET_WAKEUP:    return set_alarm(arg);
    case EFI_NEXT_COUNT:    *(uint32_t *)arg[0] = 77; return 0;
    case EFI_GET_VARIABLE:  return get(arg);
    case EFI_SET_VARIABLE:  return set(arg);
    case EFI_NEXT_VARIABLE: return next(arg);
    case EFI_QUERY_VARIABLES:
        assert_int_equal(arg[0], 7);
        *(uint64_t *)arg[1] = 1000;
        *(uint64_t *)arg[2] = 600;
        *(uint64_t *)arg[3] = 100;
        return 0;
    }
    fail();
    return 0;
}

/* ---- dom0 ---- */

static int setup(void **state)
{
    (void)state;
    host_start(HOSTED_CPUS, HOSTED_RAM);
    guest_create(&d, 0, PRIV_ALL, PAGES);
    guest_start(&d, PAGES - 8);
    op = machine_frame(d.m[OP]);
    name = machine_frame(d.m[NAME]);
    data = machine_frame(d.m[DATA]);
    return 0;
}

static int each(void **state)
{
    static const uint16_t boot[] = { 'B', 'o', 'o', 't', '0', '0', '0', 0 };

    (void)state;
    memset(op, 0, sizeof(*op));
    memset(name, 0, PAGE_SIZE);
    memcpy(name, boot, sizeof(boot));
    memset(data, 0xee, PAGE_SIZE);
    host_efi = firmware;
    memcpy(var_name, boot, sizeof(boot));
    memcpy(var_data, "value", 5);
    var_size = 5;
    var_attr = 7;
    var_there = true;
    called = 0;
    return 0;
}

static long platform(uint32_t cmd)
{
    struct cpu_regs *r = d.v->regs;

    op->cmd = cmd;
    op->interface_version = XENPF_INTERFACE_VERSION;
    r->rax = __HYPERVISOR_platform_op, r->rdi = VA(OP);
    r->rip = 0x1000;
    plenty();
    hypercall_entry(d.v);
    hosted_leave(d.v, PLENTY);
    hosted_check();
    return (long)r->rax;
}

static long efi(uint32_t function)
{
    op->u.efi_runtime_call.function = function;
    return platform(XENPF_efi_runtime_call);
}

static long info(uint32_t index)
{
    op->u.firmware_info.type = XEN_FW_EFI_INFO;
    op->u.firmware_info.index = index;
    return platform(XENPF_firmware_info);
}

#define RC op->u.efi_runtime_call

static void variable(uint64_t size)
{
    set_xen_guest_handle(RC.u.get_variable.name, (void *)VA(NAME));
    set_xen_guest_handle(RC.u.get_variable.data, (void *)VA(DATA));
    RC.u.get_variable.size = size;
}

/* ---- The tests ---- */

static void what_the_firmware_is(void **state)
{
    static const struct firmware_efi e = { .version = 2 << 16 | 70, .runtime_version = 2 << 16 | 60, .tables = 0x7f000018,
                                           .nr_tables = 9, .revision = 0x10000, .vendor = { 'E', 'D', 'K' } };
    uint16_t *vendor = (uint16_t *)data;

    (void)state;
    firmware_efi = (struct firmware_efi){ 0 };
    assert_int_equal(info(XEN_FW_EFI_VERSION), -ENOSYS);
    firmware_efi = e;
    assert_int_equal(info(XEN_FW_EFI_VERSION), 0);
    assert_int_equal(op->u.firmware_info.u.efi_info.version, e.version);
    assert_int_equal(info(XEN_FW_EFI_RT_VERSION), 0);
    assert_int_equal(op->u.firmware_info.u.efi_info.version, e.runtime_version);
    assert_int_equal(info(XEN_FW_EFI_CONFIG_TABLE), 0);
    assert_true(op->u.firmware_info.u.efi_info.cfg.addr == e.tables);
    assert_int_equal(op->u.firmware_info.u.efi_info.cfg.nent, 9);
    assert_int_equal(info(99), -ENOSYS);

    op->u.firmware_info.u.efi_info.vendor.bufsz = 7; /* three characters, and a byte that is left alone */
    set_xen_guest_handle(op->u.firmware_info.u.efi_info.vendor.name, (void *)VA(DATA));
    assert_int_equal(info(XEN_FW_EFI_VENDOR), 0);
    assert_int_equal(op->u.firmware_info.u.efi_info.vendor.revision, 0x10000);
    assert_int_equal(vendor[0], 'E');
    assert_int_equal(vendor[1], 'D');
    assert_int_equal(vendor[2], 0);
    assert_int_equal((uint8_t)data[6], 0xee);
    op->u.firmware_info.u.efi_info.vendor.bufsz = 2000;
    assert_int_equal(info(XEN_FW_EFI_VENDOR), 0);
    assert_int_equal(vendor[2], 'K');
    assert_int_equal(vendor[3], 0);
    assert_int_equal((uint8_t)data[sizeof(e.vendor)], 0xee);
    op->u.firmware_info.u.efi_info.vendor.bufsz = 1;
    assert_int_equal(info(XEN_FW_EFI_VENDOR), 0);
    op->u.firmware_info.u.efi_info.vendor.bufsz = 8;
    set_xen_guest_handle(op->u.firmware_info.u.efi_info.vendor.name, (void *)VA(PAGES + 9));
    assert_int_equal(info(XEN_FW_EFI_VENDOR), -EFAULT);
}

static void a_variable_is_read(void **state)
{
    (void)state;
    variable(PAGE_SIZE);
    assert_int_equal(efi(XEN_EFI_get_variable), 0);
    assert_true(RC.status == 0);
    assert_int_equal(RC.misc, 7);
    assert_int_equal(RC.u.get_variable.size, 5);
    assert_memory_equal(data, "value\xee", 6);
    variable(4);
    memset(data, 0xee, 8);
    assert_int_equal(efi(XEN_EFI_get_variable), 0);
    assert_true(RC.status == TOO_SMALL);
    assert_int_equal(RC.u.get_variable.size, 5);
    assert_memory_equal(data, "\xee\xee\xee", 3);
    variable(UINT64_MAX); /* more than is ever given */
    assert_int_equal(efi(XEN_EFI_get_variable), 0);
    assert_memory_equal(data, "value\xee", 6);
    name[0] = 'X';
    variable(8);
    assert_int_equal(efi(XEN_EFI_get_variable), 0);
    assert_true(RC.status == NOT_FOUND);
}

static void a_variable_is_written(void **state)
{
    (void)state;
    memcpy(data, "other", 5);
    variable(5);
    RC.misc = 3;
    assert_int_equal(efi(XEN_EFI_set_variable), 0);
    assert_true(RC.status == 0);
    assert_memory_equal(var_data, "other", 5);
    assert_int_equal(var_attr, 3);
    assert_int_equal(var_size, 5);
    called = 0;
    variable(DATA_MAX + 1);
    assert_int_equal(efi(XEN_EFI_set_variable), -E2BIG);
    variable(UINT64_MAX);
    assert_int_equal(efi(XEN_EFI_set_variable), -E2BIG);
    variable(5);
    set_xen_guest_handle(RC.u.set_variable.data, (void *)VA(PAGES + 9));
    assert_int_equal(efi(XEN_EFI_set_variable), -EFAULT);
    assert_int_equal(called, 0);
}

static void variables_are_listed(void **state)
{
    uint16_t *at = (uint16_t *)data;

    (void)state;
    at[0] = 0;
    set_xen_guest_handle(RC.u.get_next_variable_name.name, (void *)VA(DATA));
    RC.u.get_next_variable_name.size = 4096;
    assert_int_equal(efi(XEN_EFI_get_next_variable_name), 0);
    assert_true(RC.status == 0);
    assert_int_equal(RC.u.get_next_variable_name.size, 16);
    assert_int_equal(at[0], 'B');
    assert_int_equal((uint8_t)data[16], 0xee);
    assert_int_equal(RC.u.get_next_variable_name.vendor_guid.data1, 0x77777777);
    assert_int_equal(efi(XEN_EFI_get_next_variable_name), 0);
    assert_true(RC.status == NOT_FOUND);
    at[0] = 0;
    RC.u.get_next_variable_name.size = 8;
    assert_int_equal(efi(XEN_EFI_get_next_variable_name), 0);
    assert_true(RC.status == TOO_SMALL);
    assert_int_equal(at[0], 0);
}

static void names_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PAGE_SIZE / 2; i++)
        name[i] = 'a';
    variable(8);
    assert_int_equal(efi(XEN_EFI_get_variable), -EINVAL);
    assert_int_equal(efi(XEN_EFI_set_variable), -EINVAL);
    name[NAME_MAX / 2 - 1] = 0;
    assert_int_equal(efi(XEN_EFI_get_variable), 0);
    assert_int_equal(called, 1);
    set_xen_guest_handle(RC.u.get_variable.name, (void *)VA(PAGES + 9));
    assert_int_equal(efi(XEN_EFI_get_variable), -EFAULT);
    set_xen_guest_handle(RC.u.get_next_variable_name.name, (void *)VA(PAGES + 9));
    assert_int_equal(efi(XEN_EFI_get_next_variable_name), -EFAULT);
    assert_int_equal(called, 1);
}

static void room_is_asked_for(void **state)
{
    (void)state;
    RC.u.query_variable_info.attr = 7;
    assert_int_equal(efi(XEN_EFI_query_variable_info), 0);
    assert_int_equal(RC.u.query_variable_info.max_store_size, 1000);
    assert_int_equal(RC.u.query_variable_info.remain_store_size, 600);
    assert_int_equal(RC.u.query_variable_info.max_size, 100);
    RC.misc = 2;
    assert_int_equal(efi(XEN_EFI_query_variable_info), -EINVAL);
}

static void the_clock_is_read_and_set(void **state)
{
    (void)state;
    assert_int_equal(efi(XEN_EFI_get_time), 0);
    assert_true(RC.status == 0);
    assert_int_equal(RC.misc, XEN_EFI_GET_TIME_SET_CLEARS_NS);
    assert_memory_equal(&RC.u.get_time.time, &some_time, 16);
    assert_int_equal(RC.u.get_time.time.year, 2031);
    assert_int_equal(RC.u.get_time.time.sec, 6);
    assert_int_equal(RC.u.get_time.time.ns, 7);
    assert_int_equal(RC.u.get_time.time.tz, -90);
    assert_int_equal(RC.u.get_time.time.daylight, 1);
    assert_int_equal(RC.u.get_time.resolution, 1);
    assert_int_equal(RC.u.get_time.accuracy, 50000000);
    RC.misc = 0;
    RC.u.set_time = (struct xenpf_efi_time){ .year = 2032, .day = 9, .ns = 10, .tz = 2047 };
    assert_int_equal(efi(XEN_EFI_set_time), 0);
    assert_true(RC.status == ERROR(2));
    assert_int_equal(clock_time.year, 2032);
    assert_int_equal(clock_time.day, 9);
    assert_int_equal(clock_time.ns, 10);
    assert_int_equal(clock_time.zone, 2047);
    called = 0;
    RC.misc = 1;
    assert_int_equal(efi(XEN_EFI_get_time), -EINVAL);
    assert_int_equal(efi(XEN_EFI_set_time), -EINVAL);
    assert_int_equal(efi(XEN_EFI_get_wakeup_time), -EINVAL);
    assert_int_equal(efi(XEN_EFI_get_next_high_monotonic_count), -EINVAL);
    RC.misc = 4;
    assert_int_equal(efi(XEN_EFI_set_wakeup_time), -EINVAL);
    assert_int_equal(called, 0);
}

static void the_machine_can_be_woken(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        alarm_on = i & 1, alarm_rang = i >> 1;
        RC.misc = 0;
        assert_int_equal(efi(XEN_EFI_get_wakeup_time), 0);
        assert_int_equal(RC.misc, i);
        assert_memory_equal(&RC.u.get_wakeup_time, &some_time, 16);
        RC.misc = i;
        RC.u.set_wakeup_time = (struct xenpf_efi_time){ .year = (uint16_t)(2040 + i) };
        assert_int_equal(efi(XEN_EFI_set_wakeup_time), 0);
        assert_int_equal(alarm_set, i);
        assert_int_equal(wakeup.year, 2040 + MIN(i, 1u)); /* with the second bit no time is handed over */
    }
    RC.misc = 0;
    assert_int_equal(efi(XEN_EFI_get_next_high_monotonic_count), 0);
    assert_int_equal(RC.misc, 77);
}

static void services_that_there_are_not(void **state)
{
    (void)state;
    assert_int_equal(efi(XEN_EFI_update_capsule), -EOPNOTSUPP);
    assert_int_equal(efi(99), -EOPNOTSUPP);
    assert_int_equal(called, 0);
    host_efi = NULL;
    assert_int_equal(efi(XEN_EFI_get_variable), -ENOSYS);
    d.d->privileges = 0;
    host_efi = firmware;
    assert_int_equal(efi(XEN_EFI_get_variable), -EPERM);
    d.d->privileges = PRIV_ALL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_the_firmware_is, each),
        cmocka_unit_test_setup(a_variable_is_read, each),
        cmocka_unit_test_setup(a_variable_is_written, each),
        cmocka_unit_test_setup(variables_are_listed, each),
        cmocka_unit_test_setup(names_end, each),
        cmocka_unit_test_setup(room_is_asked_for, each),
        cmocka_unit_test_setup(the_clock_is_read_and_set, each),
        cmocka_unit_test_setup(the_machine_can_be_woken, each),
        cmocka_unit_test_setup(services_that_there_are_not, each),
    };

    return cmocka_run_group_tests_name("abi/efi_call", tests, setup, NULL);
}
