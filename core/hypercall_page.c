/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each stub saves what syscall destroys (rcx, r11), loads its number, executes syscall and returns. iret's does not return: it
 * leaves rax, r11 and rcx on the stack, where HYPERVISOR_iret looks for them (<xen/arch-x86/xen-x86_64.h>).
 */
#include "core/hypercall_page.h"

#include "lib/string.h"
#include "lib/types.h"

#include <xen/xen.h>

#define STUB_BYTES 32u

void hypercall_page_fill(void *page)
{
    static const uint8_t stub[] = {
        0x51, 0x41, 0x53,             /* push rcx; push r11 */
        0xb8, 0, 0, 0, 0,             /* mov eax, number    */
        0x0f, 0x05,                   /* syscall            */
        0x41, 0x5b, 0x59, 0xc3,       /* pop r11; pop rcx; ret */
    };
    static const uint8_t iret[] = {
        0x51, 0x41, 0x53, 0x50,       /* push rcx; push r11; push rax */
        0xb8, __HYPERVISOR_iret, 0, 0, 0,
        0x0f, 0x05,
    };

    memset(page, 0xcc, PAGE_SIZE);
    for (unsigned nr = 0; nr < PAGE_SIZE / STUB_BYTES; nr++) {
        uint8_t *at = (uint8_t *)page + nr * STUB_BYTES;

        memcpy(at, stub, sizeof(stub));
        at[4] = (uint8_t)nr;
    }
    memcpy((uint8_t *)page + __HYPERVISOR_iret * STUB_BYTES, iret, sizeof(iret));
}
