/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to a disk and packets to a neighbour, as a guest's own kernel sends them. On the kernel's command line (which becomes the
 * environment): iodisk=DEVICE, whose content does not matter; peer=ADDRESS of who answers pings and takes what comes at PORT, and
 * addr=ADDRESS of eth0. Without iodisk there are no such rows; with it there are no others.
 */

#define _GNU_SOURCE
#include "macro.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB   (1024 * 1024UL)
#define DEPTH 32
#define SPAN  (48 * MIB)                /* of the disk */
#define PORT  5001

static char block[MIB] __attribute__((aligned(4096)));
static int disk, ping = -1, stream;
static aio_context_t queue;
static uint64_t place;

/* ---- The disk: past all caches, at places that are not neighbours ---- */

static off_t next_place(void)
{
    place = place * 6364136223846793005UL + 1442695040888963407UL;
    return (off_t)((place >> 20) % (SPAN / MIB) * MIB);
}

static void read_disk(size_t size)
{
    need(pread(disk, block, size, next_place()) == (ssize_t)size, "read the disk");
}

static void op_read_1k(void)  { read_disk(1024); }
static void op_read_4k(void)  { read_disk(4096); }
static void op_read_64k(void) { read_disk(65536); }
static void op_read_1m(void)  { read_disk(MIB); }

static void op_read_4k_next(void)
{
    static off_t at;

    need(pread(disk, block, 4096, at) == 4096, "read the disk");
    at = (off_t)((unsigned long)at + 4096) % (off_t)SPAN;
}

static void write_disk(size_t size)
{
    need(pwrite(disk, block, size, next_place()) == (ssize_t)size, "write the disk");
}

static void op_write_4k(void)  { write_disk(4096); }
static void op_write_64k(void) { write_disk(65536); }

static void op_read_4k_32_at_once(void)
{
    struct iocb blocks[DEPTH], *list[DEPTH];
    struct io_event events[DEPTH];
    int i;

    memset(blocks, 0, sizeof(blocks));
    for (i = 0; i < DEPTH; i++) {
        blocks[i] = (struct iocb){ .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)disk, .aio_buf = (uint64_t)(block + 4096 * i),
                                   .aio_nbytes = 4096, .aio_offset = next_place() };
        list[i] = &blocks[i];
    }
    need(syscall(SYS_io_submit, queue, (long)DEPTH, list) == DEPTH, "io_submit");
    need(syscall(SYS_io_getevents, queue, (long)DEPTH, (long)DEPTH, events, NULL) == DEPTH, "io_getevents");
}

/* ---- The network ---- */

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
    static uint16_t number;
    struct icmphdr *h = (struct icmphdr *)block;
    char answer[2048];
    ssize_t n;

    memset(h, 0, sizeof(*h));
    h->type = ICMP_ECHO;
    h->un.echo.sequence = htons(++number);
    h->checksum = checksum(block, size);
    need(send(ping, block, size, 0) == (ssize_t)size, "send a packet");
    do
        need((n = recv(ping, answer, sizeof(answer), 0)) > 0, "receive a packet");
    while ((size_t)n != size + 20 || ((struct icmphdr *)(answer + 20))->un.echo.sequence != htons(number));
}

static void op_ping_64(void)   { round_trip(64); }
static void op_ping_1400(void) { round_trip(1400); }

/* More than what any buffer on the way holds, so that in the long run as much is taken as sent. */
static void op_send_1m(void)
{
    size_t done = 0;
    ssize_t n;

    while (done < MIB) {
        n = write(stream, block + done, 16384 < MIB - done ? 16384 : MIB - done);
        need(n > 0, "send a stream");
        done += (size_t)n;
    }
}

static struct sockaddr_in address(const char *text, int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

    need(inet_aton(text, &a.sin_addr), "an address");
    return a;
}

static void bring_up(const char *own)
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

static void reach(const char *peer)
{
    struct sockaddr_in to = address(peer, 0), port = address(peer, PORT);
    int size = 65536, i;

    need((ping = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)) >= 0 && connect(ping, (void *)&to, sizeof(to)) == 0, "a raw socket");
    need((stream = socket(AF_INET, SOCK_STREAM, 0)) >= 0, "a socket");
    setsockopt(stream, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    for (i = 0; connect(stream, (void *)&port, sizeof(port)) && i < 100; i++)       /* a bridge needs a moment */
        usleep(200000);
    need(i < 100, "connect to the peer");
}

/* ---- */

#define DISK_ROWS                                     \
    { "read_1k", op_read_1k, NULL, 60 },              \
    { "read_4k", op_read_4k, NULL, 60 },              \
    { "read_4k_next", op_read_4k_next, NULL, 60 },    \
    { "read_64k", op_read_64k, NULL, 40 },            \
    { "read_1m", op_read_1m, NULL, 20 },              \
    { "write_4k", op_write_4k, NULL, 60 },            \
    { "write_64k", op_write_64k, NULL, 40 },          \
    { "read_4k_32_at_once", op_read_4k_32_at_once, NULL, 20 },

static const struct row disk_alone[] = { DISK_ROWS { 0 } };
static const struct row disk_and_net[] = {
    DISK_ROWS
    { "ping_64", op_ping_64, NULL, 60 },
    { "ping_1400", op_ping_1400, NULL, 60 },
    { "send_1m", op_send_1m, NULL, 20 },
    { 0 }
};

const struct row *io_rows(void)
{
    const char *device = getenv("iodisk"), *peer = getenv("peer"), *own = getenv("addr");

    load_drivers();
    wait_for(device);
    need((disk = open(device, O_RDWR | O_DIRECT)) >= 0, device);
    need(syscall(SYS_io_setup, DEPTH, &queue) == 0, "io_setup");
    if (!peer || !own)
        return disk_alone;
    bring_up(own);
    reach(peer);
    return disk_and_net;
}
