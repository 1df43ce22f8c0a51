/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows that are measured again and again as the machine grows (bench_domains.c, bench_vcpus.c), by another name each time. */
#ifndef MICRO_SCALE_H
#define MICRO_SCALE_H

#include "bench.h"

#include "domctl.h"

/* Setting one's timer, and a send to oneself on a port that is masked. */
static inline void measure_calls(const char *timer, const char *send)
{
    struct evtchn_send to = { .port = (evtchn_port_t)port_bind_ipi(0) };
    uint64_t timeout = now() + 3600000000000UL;

    port_mask(to.port);
    MEASURE(timer, 1, hypercall(__HYPERVISOR_set_timer_op, timeout));
    hypercall(__HYPERVISOR_set_timer_op, 0UL);
    MEASURE_AFTER(send, 1, port_clear(to.port), evtchn(EVTCHNOP_send, &to));
    port_close(to.port);
}

/* A domain of so many vCPUs that comes and goes. */
static inline void measure_life(const char *create, const char *destroy, unsigned int vcpus)
{
    long dom = 0;

    MEASURE_AFTER(create, 1, dom ? domain_destroy((domid_t)dom) : (void)0, dom = domain_create(4096, vcpus));
    bench_need("create", dom);
    MEASURE_AFTER(destroy, 1, dom = dom ? dom : domain_create(4096, vcpus), domain_destroy((domid_t)dom); dom = 0);
}

#endif
