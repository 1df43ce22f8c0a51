/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Soak: random operations by every vCPU of a domU, one domU after the other, for `seconds=N` with `seed=N`. A domU may
 * kill itself; dom0 must stay, and get back every page.
 *
 * Output: `soak SEED OPERATIONS` from a domU every now and then, since the last such line; from dom0 at the end
 * `soaked DOMAINS domains, CRASHED crashed, LEAKS leaks`.
 */

#include "hostile_door.h"

#include <xen/memory.h>
#include <xen/sched.h>

#include "child.h"
#include "grant.h"

#define DOMAIN_SECONDS 5
#define PAGES          16

static void *pages[PAGES];              /* what the operations are about */
static volatile unsigned int operations;

static unsigned long number_option(const char *key)
{
    const char *s = option(key);
    unsigned long n = 0;

    while (s && *s >= '0' && *s <= '9')
        n = n * 10 + (unsigned long)(*s++ - '0');
    return n;
}

/* xorshift; each vCPU has its own state. */
static uint64_t random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t random_frame(uint64_t *s)
{
    switch (random(s) % 8) {
    case 0:  return foreign_frame();
    case 1:  return 0xfffffff;
    case 2:  return mfn_of(boot_l4());
    case 3:  return mfn_of(tree[1 + random(s) % 4]);
    default: return mfn_of(pages[random(s) % PAGES]);
    }
}

static uint64_t random_entry(uint64_t *s)
{
    uint64_t flags = random(s) % 4 ? PTE_FLAGS : random(s) & 0xfff;

    if (random(s) % 16 == 0)
        flags |= 1UL << random(s) % 64;
    return random(s) % 4 ? random_frame(s) << 12 | flags : 0;
}

static uint64_t random_value(uint64_t *s)
{
    static const uint64_t values[] = { 0, 1, 2, 8, 0xfff, 0x1000, 0x7fffffff, 0x80000000, 0xffffffff, ~0UL, 1UL << 63,
                                       0x800000000000, 0xffff830000000000, MACH2PHYS_VIRT_START, DOMID_SELF, DOMID_IO,
                                       DOMID_XEN };

    switch (random(s) % 4) {
    case 0:  return U(pages[random(s) % PAGES]) + random(s) % (PAGE_SIZE / 2);
    case 1:  return random_frame(s);
    case 2:  return random(s) % 64;
    default: return values[random(s) % ARRAY_SIZE(values)];
    }
}

/* Only those after which the domU can go on. */
static void random_hypercall(uint64_t *s)
{
    static const unsigned int numbers[] = {
        __HYPERVISOR_mmu_update, __HYPERVISOR_set_gdt, __HYPERVISOR_update_descriptor, __HYPERVISOR_memory_op,
        __HYPERVISOR_set_timer_op, __HYPERVISOR_xen_version,
        __HYPERVISOR_grant_table_op, __HYPERVISOR_vm_assist, __HYPERVISOR_mmuext_op, __HYPERVISOR_hvm_op,
        __HYPERVISOR_sysctl, __HYPERVISOR_domctl, __HYPERVISOR_platform_op, __HYPERVISOR_physdev_op,
    };

    hypercall(numbers[random(s) % ARRAY_SIZE(numbers)], random_value(s), random_value(s), random_value(s),
              random_value(s), random_value(s));
}

static void random_grant(uint64_t *s)
{
    grant_handle_t handle = (uint32_t)random(s) % 8;
    grant_ref_t ref = 32 + (uint32_t)random(s) % 8;
    void *at = pages[random(s) % PAGES];

    switch (random(s) % 4) {
    case 0: grant_page(ref, pages[random(s) % PAGES], own_domid(), random(s) % 2 ? GTF_readonly : 0); break;
    case 1: grant_map(at, own_domid(), ref, (uint32_t)random(s) % 32, &handle); break;
    case 2: grant_unmap(U(at), handle); break;
    default:
        grant_copy((struct copy_side){ ref, own_domid(), (uint16_t)random(s) },
                   (struct copy_side){ random_frame(s), DOMID_SELF, (uint16_t)random(s) }, (uint16_t)random(s),
                   (uint16_t)random(s) % 4);
        break;
    }
}

static void random_event(uint64_t *s)
{
    evtchn_port_t port = 8 + (evtchn_port_t)random(s) % 24;

    switch (random(s) % 6) {
    case 0: port_bind_ipi((unsigned int)random(s) % 3); break;
    case 1: port_close(port); break;
    case 2: port_send(port); break;
    case 3: port_alloc(DOMID_SELF, random(s) % 2 ? DOMID_SELF : 0); break;
    case 4: port_bind(DOMID_SELF, port); break;
    default: evtchn(EVTCHNOP_bind_vcpu, &(struct evtchn_bind_vcpu){ port, (uint32_t)random(s) % 3 }); break;
    }
}

static void random_operation(uint64_t *s)
{
    void *page = pages[random(s) % PAGES];
    uint64_t level = 1 + random(s) % 4;
    uint64_t frame = mfn_of(page);

    switch (random(s) % 12) {
    case 0: case 1:
        mmu_update(maddr_of(&tree[1 + level % 3][TREE_VA >> (12 + 9 * (level % 3)) & 511]), random_entry(s));
        break;
    case 2: update_va((void *)TREE_VA, random_entry(s), random(s) & 7); break;
    case 3: update_va(page, random(s) % 2 ? frame << 12 | PTE_RO_FLAGS : random_entry(s), UVMF_INVLPG); break;
    case 4: mmuext(MMUEXT_PIN_L1_TABLE + (unsigned int)level - 1, frame, 0); break;
    case 5: mmuext(MMUEXT_UNPIN_TABLE, frame, 0); break;
    case 6: mmu_update(random_frame(s) << 12 | (random(s) & 0xffb), random_entry(s)); break;
    case 7: hypercall(__HYPERVISOR_set_gdt, &frame, random(s) % 600); break;
    case 8: mmuext(MMUEXT_SET_LDT, U(page), random(s) % 520); break;
    case 9: random_hypercall(s); break;
    case 10: random_grant(s); break;
    default: random_event(s); break;
    }
    operations++;
}

static uint64_t states[MAX_RIVALS + 1];

static void rival_operation(unsigned int rival, unsigned int round)
{
    random_operation(&states[rival + 1]);
}

static void run_in_domU(void)
{
    uint64_t end = now() + DOMAIN_SECONDS * 1000000000UL, next = 0;
    unsigned int i, told = 0;

    tree_make();
    EXPECT(grant_setup());
    own_domid();
    foreign_frame();
    for (i = 0; i < PAGES; i++)
        pages[i] = page_alloc();
    for (i = 0; i <= MAX_RIVALS; i++)
        states[i] = (number_option("seed") + 1) * 0x9e3779b97f4a7c15UL + i * 0x1234567;
    race_begin(rival_operation);
    while (now() < end) {
        for (i = 0; i < 64; i++)
            random_operation(&states[0]);
        if (now() >= next) {
            print("soak %lu %u\n", number_option("seed"), operations - told);
            told = operations;
            next = now() + 200000000;
        }
        yield();
    }
    race_end();
    print("soak %lu %u\n", number_option("seed"), operations - told);
    shutdown(SHUTDOWN_poweroff);
}

static void command(char *to, unsigned long seed)
{
    char digits[24];
    unsigned int n = 0;

    memcpy(to, "only=hostile_soak seconds=1 seed=", 33);
    to += 33;
    do
        digits[n++] = (char)('0' + seed % 10);
    while (seed /= 10);
    while (n)
        *to++ = digits[--n];
    *to = 0;
}

TEST(soak)
{
    unsigned long seconds = number_option("seconds"), seed = number_option("seed");
    unsigned int domains = 0, crashed = 0, leaks = 0;
    uint64_t end = now() + seconds * 1000000000UL, before;

    if (!seconds)
        return;
    if (!is_dom0())
        run_in_domU();
    first_child();
    before = machine_free_pages();
    for (; now() < end; domains++, seed++) {
        char line[96];
        long dom;

        command(line, seed);
        dom = child_build(line);
        if (!EXPECT_GE(dom, 1))
            break;
        crashed += child_run((domid_t)dom, 4 * DOMAIN_SECONDS, NULL) != SHUTDOWN_poweroff;
        if (!destroy_without_leak((domid_t)dom, before)) {
            leaks++;
            print("# seed %lu: %lu free pages before, %lu after\n", seed, before, machine_free_pages());
        }
        before = machine_free_pages();
    }
    print("soaked %u domains, %u crashed, %u leaks\n", domains, crashed, leaks);
    EXPECT_EQ(leaks, 0);
}
