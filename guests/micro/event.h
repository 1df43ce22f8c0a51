/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event channels, two-level unless a test switches to FIFO, and the clock that waiting needs.
 *
 * The guest runs with upcalls masked; a test that wants them says events_on() ... events_off().
 */
#ifndef MICRO_EVENT_H
#define MICRO_EVENT_H

#include "micro.h"

#include <xen/event_channel.h>

struct regs;

#define MAX_PORTS 4096

extern struct shared_info *shared_info;
extern unsigned int upcalls;                    /* entries of the event callback */
extern unsigned int port_count[MAX_PORTS];      /* events taken from each port by the upcall */
extern struct regs upcall_regs;                 /* frame of the last upcall */

/* Another way to find events than the two-level bitmaps (NULL); called by the upcall. */
extern void (*event_scan)(void);

/* This vCPU's vcpu_info: in shared_info until vcpu_info_move(). Only vCPU 0 runs tests. */
struct vcpu_info *vcpu_info(void);
void vcpu_info_move(struct vcpu_info *to);

void event_init(void);
void event_upcall(struct regs *regs);
void events_on(void);
void events_off(void);

static inline long evtchn(unsigned int op, void *arg)
{
    return hypercall(__HYPERVISOR_event_channel_op, op, arg);
}

/* Bit operations on the two-level bitmaps. */
bool port_pending(evtchn_port_t port);
bool port_masked(evtchn_port_t port);
void port_mask(evtchn_port_t port);
void port_clear(evtchn_port_t port);

/* Short forms; the result is the port or a negative errno. */
long port_unmask(evtchn_port_t port);
long port_close(evtchn_port_t port);
long port_send(evtchn_port_t port);
long port_alloc(domid_t dom, domid_t remote);
long port_bind(domid_t remote, evtchn_port_t remote_port);
long port_bind_virq(unsigned int virq, unsigned int vcpu);
long port_bind_ipi(unsigned int vcpu);

/* Nanoseconds since the hypervisor's start, from vcpu_time_info. */
uint64_t now(void);
uint64_t rdtsc(void);

/* Sleeps for a millisecond. */
void let_others_run(void);

/*
 * Blocks or spins until *count reaches want or ms milliseconds passed; needs events_on(). True when
 * reached.
 */
bool wait_count(volatile unsigned int *count, unsigned int want, unsigned int ms);

#endif
