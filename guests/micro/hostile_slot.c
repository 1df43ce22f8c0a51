/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's sixteen slots of the address space: changed, read, written, run, flushed, named in hypercalls. */

#include "hostile_door.h"

#include <xen/version.h>

#define FIRST 256
#define COUNT 16

static const char *const names[COUNT] = {
    "slot256", "slot257", "slot258", "slot259", "slot260", "slot261", "slot262", "slot263",
    "slot264", "slot265", "slot266", "slot267", "slot268", "slot269", "slot270", "slot271",
};

static uint64_t address(unsigned int i)
{
    return 0xffff800000000000UL + ((uint64_t)i << 39);
}

static long replace(unsigned int i)
{
    return mmu_update(maddr_of(&boot_l4()[FIRST + i]), boot_l4()[511]);
}

static long remove(unsigned int i)
{
    return mmu_update(maddr_of(&boot_l4()[FIRST + i]), 0);
}

static long store(unsigned int i)
{
    TRY("movq $0, (%%rax)", : : "a"(&boot_l4()[FIRST + i]) : "memory");
    return try_result();
}

static long map_there(unsigned int i)
{
    return update_va((void *)(address(i) + 0x1000), mfn_of(tree_leaf) << 12 | PTE_FLAGS, UVMF_INVLPG);
}

static long read_there(unsigned int i)
{
    TRY("mov (%%rax), %%rax", : : "a"(address(i) + 0x40000000) : "memory");
    return try_result();
}

static long write_there(unsigned int i)
{
    TRY("lock orq $0, (%%rax)", : : "a"(address(i)) : "memory");
    return try_result();
}

static bool back(struct regs *regs)
{
    regs->rip = *(uint64_t *)regs->rsp;
    regs->rsp += 8;
    return true;
}

static long run_there(unsigned int i)
{
    trap_hook = back;
    trap_forget();
    __asm__ volatile("call *%%rax" : : "a"(address(i)) : "memory");
    trap_hook = NULL;
    return try_result();
}

static long flush_there(unsigned int i)
{
    return mmuext(MMUEXT_INVLPG_ALL, address(i), 0);
}

static long write_by_hypercall(unsigned int i)
{
    return hypercall(__HYPERVISOR_xen_version, XENVER_extraversion, address(i));
}

static long read_by_hypercall(unsigned int i)
{
    return hypercall(__HYPERVISOR_multicall, address(i) + 0x8000000000UL - 64, 1);
}

static long ldt_there(unsigned int i)
{
    long rc = mmuext(MMUEXT_SET_LDT, address(i), 512);

    TRY("mov %%eax, %%es", : : "a"(7));
    mmuext(MMUEXT_SET_LDT, 0, 0);
    return rc ?: try_result();
}

static long stack_there(unsigned int i)
{
    return hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, address(i)) ?:
           hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, 0);
}

static const struct {
    const char *name;
    long (*run)(unsigned int i);
    long want;
} attacks[] = {
    { "replace", replace, REFUSED }, { "remove", remove, REFUSED }, { "store", store, TRAP(14) },
    { "map_there", map_there, REFUSED }, { "read", read_there, NO_GAIN }, { "write", write_there, TRAP(14) },
    { "run", run_there, FAULT }, { "flush", flush_there, 0 },
    { "write_by_hypercall", write_by_hypercall, -XEN_EFAULT }, { "read_by_hypercall", read_by_hypercall, -XEN_EFAULT },
    { "ldt", ldt_there, NO_GAIN }, { "fs_base", stack_there, 0 },
};

TEST(slots)
{
    unsigned int a, i;

    tree_make();
    for (a = 0; a < ARRAY_SIZE(attacks); a++)
        for (i = 0; i < COUNT; i++)
            verdict(attacks[a].name, names[i], attacks[a].run(i), attacks[a].want);
}
