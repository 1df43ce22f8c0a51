/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets and streams between a guest and its neighbours: dom0, and another guest on dom0's bridge. On the kernel's command line
 * (which becomes the environment): addr=ADDRESS of eth0, and either dom0=ADDRESS and guest=ADDRESS of the neighbours, or answer=yes
 * to be one. In dom0, `init answer` is one.
 */

#include "macro.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB     (1024 * 1024UL)
#define MESSAGE 65536UL
#define TAKES   5001                    /* the port where all is taken, */
#define RETURNS 5002                    /* and that where messages are sent back */

static struct neighbour {
    int ping, stream, messages;
} dom0, guest, *other;

static struct sockaddr_in address(const char *text, int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

    need(inet_aton(text, &a.sin_addr), "an address");
    return a;
}

static void put(int to, size_t size)
{
    size_t part;
    ssize_t n;

    for (; size; size -= (size_t)n) {
        part = size < 16384 ? size : 16384;
        need((n = write(to, source, part)) > 0, "send a stream");
    }
}

/* Gives 0 when the other side has closed it. */
static int take(int from, size_t size)
{
    ssize_t n;

    for (; size; size -= (size_t)n)
        if ((n = read(from, target, size)) <= 0)
            return 0;
    return 1;
}

/* ---- Who answers: pings are the kernel's ---- */

static void serve(int port)
{
    struct sockaddr_in a = address("0.0.0.0", port);
    int any = socket(AF_INET, SOCK_STREAM, 0), one;

    need(bind(any, (void *)&a, sizeof(a)) == 0 && listen(any, 1) == 0, "listen");
    for (;; close(one)) {
        need((one = accept(any, NULL, NULL)) >= 0, "accept");
        while (take(one, MESSAGE))
            if (port == RETURNS)
                put(one, MESSAGE);
    }
}

void answer(void)
{
    serve(fork() ? TAKES : RETURNS);
}

/* ---- Operations ---- */

static void to_dom0(void)  { other = &dom0; }
static void to_guest(void) { other = &guest; }

static uint16_t checksum(const void *data, size_t size)
{
    const uint16_t *word = data;
    uint32_t sum = 0;

    for (; size > 1; size -= 2)
        sum += *word++;
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)~(sum + (sum >> 16));
}

/* One packet there and its answer. */
static void round_trip(size_t size)
{
    static char packet[2048], back[2048];
    static uint16_t number;
    struct icmphdr *h = (struct icmphdr *)packet;
    ssize_t n;

    memset(h, 0, sizeof(*h));
    h->type = ICMP_ECHO;
    h->un.echo.sequence = htons(++number);
    h->checksum = checksum(packet, size);
    need(send(other->ping, packet, size, 0) == (ssize_t)size, "send a packet");
    do
        need((n = recv(other->ping, back, sizeof(back), 0)) > 0, "receive a packet");
    while ((size_t)n != size + 20 || ((struct icmphdr *)(back + 20))->un.echo.sequence != htons(number));
}

static void op_ping_64(void)   { round_trip(64); }
static void op_ping_1400(void) { round_trip(1400); }

/* More than what any buffer on the way holds, so that in the long run as much is taken as sent. */
static void op_send_1m(void)
{
    put(other->stream, MIB);
}

static void op_message_64k(void)
{
    put(other->messages, MESSAGE);
    need(take(other->messages, MESSAGE), "a message comes back");
}

/* ---- Set-up ---- */

void bring_up(const char *own)
{
    struct ifreq r = { .ifr_name = "eth0" };
    struct sockaddr_in a = address(own, 0), mask = address("255.255.0.0", 0);
    int any = socket(AF_INET, SOCK_DGRAM, 0), i;

    for (i = 0; ioctl(any, SIOCGIFFLAGS, &r) && i < 1000; i++)
        usleep(10000);
    memcpy(&r.ifr_addr, &a, sizeof(a));
    need(ioctl(any, SIOCSIFADDR, &r) == 0, "the address of eth0");
    memcpy(&r.ifr_netmask, &mask, sizeof(mask));
    need(ioctl(any, SIOCSIFNETMASK, &r) == 0, "the mask of eth0");
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    need(ioctl(any, SIOCSIFFLAGS, &r) == 0, "eth0 up");
    close(any);
}

static int connected(const char *to, int port)
{
    struct sockaddr_in a = address(to, port);
    int s = socket(AF_INET, SOCK_STREAM, 0), size = 65536, i;

    need(s >= 0, "a socket");
    setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    for (i = 0; connect(s, (void *)&a, sizeof(a)) && i < 100; i++)       /* a bridge needs a moment */
        usleep(200000);
    need(i < 100, "connect to a neighbour");
    return s;
}

static void reach(struct neighbour *of, const char *name)
{
    const char *at = getenv(name);
    struct sockaddr_in to;

    need(at != NULL, name);
    to = address(at, 0);
    need((of->ping = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)) >= 0, "a raw socket");
    need(connect(of->ping, (void *)&to, sizeof(to)) == 0, "a neighbour to ping");
    of->stream = connected(at, TAKES);
    of->messages = connected(at, RETURNS);
}

/* ---- */

static const struct row rows[] = {
    { "ping_64", op_ping_64, to_dom0, 60 },
    { "ping_1400", op_ping_1400, to_dom0, 60 },
    { "send_1m", op_send_1m, to_dom0, 20 },
    { "message_64k", op_message_64k, to_dom0, 40 },
    { "guest_ping_64", op_ping_64, to_guest, 60 },
    { "guest_ping_1400", op_ping_1400, to_guest, 60 },
    { "guest_send_1m", op_send_1m, to_guest, 20 },
    { "guest_message_64k", op_message_64k, to_guest, 40 },
    { 0 }
};

const struct row *net_rows(void)
{
    reach(&dom0, "dom0");
    reach(&guest, "guest");
    return rows;
}
