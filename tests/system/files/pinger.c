/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pinger ADDRESS MILLISECONDS: an ICMP echo so often until SIGTERM; then, as JSON, how many were sent and answered, and the
 * longest time without an answer in milliseconds, one for each stretch of time: they are divided by SIGUSR1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define OUR_ID   htons(0x4b52)

static volatile sig_atomic_t divide, stop;

static void on_signal(int number)
{
    if (number == SIGTERM)
        stop = true;
    divide = true;
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static uint16_t checksum(const void *data, size_t n)
{
    const uint16_t *word = data;
    uint32_t sum = 0;

    for (; n > 1; n -= 2)
        sum += *word++;
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~(sum + (sum >> 16));
}

/* No route for a moment, or a full queue: the next one follows soon. */
static void ask(int s, const struct sockaddr_in *whom, unsigned number)
{
    struct icmphdr h = { .type = ICMP_ECHO, .un.echo = { .id = OUR_ID, .sequence = htons((uint16_t)number) } };

    h.checksum = checksum(&h, sizeof(h));
    if (sendto(s, &h, sizeof(h), 0, (const struct sockaddr *)whom, sizeof(*whom)) < 0 && errno == EBADF)
        exit(1);
}

static bool is_answer(int s)
{
    unsigned char data[2048];
    struct icmphdr h;
    ssize_t n = recv(s, data, sizeof(data), 0);

    if (n < 20 + (ssize_t)sizeof(h))
        return false;
    memcpy(&h, data + 20, sizeof(h));
    return h.type == ICMP_ECHOREPLY && h.un.echo.id == OUR_ID;
}

int main(int argc, char **argv)
{
    struct sockaddr_in whom = { .sin_family = AF_INET };
    int64_t last = now(), due = last, longest = 0, period, t;
    unsigned sent = 0, answered = 0;
    const char *comma = "";
    struct pollfd p;

    if (argc != 3 || inet_pton(AF_INET, argv[1], &whom.sin_addr) != 1 || atof(argv[2]) <= 0) {
        fprintf(stderr, "usage: %s ADDRESS MILLISECONDS\n", argv[0]);
        return 2;
    }
    signal(SIGUSR1, on_signal);
    signal(SIGTERM, on_signal);
    period = (int64_t)(atof(argv[2]) * 1e6);
    p = (struct pollfd){ .fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP), .events = POLLIN };
    if (p.fd < 0) {
        perror("socket");
        return 1;
    }
    printf("{\"longest\": [");
    while (!stop) {
        t = now();
        if (t >= due) {
            ask(p.fd, &whom, ++sent);
            due = due + period > t ? due + period : t;
        }
        t = due - now();
        if (ppoll(&p, 1, &(struct timespec){ .tv_nsec = t > 0 ? t % 1000000000ll : 0 }, NULL) > 0 && is_answer(p.fd)) {
            t = now();
            answered++;
            longest = t - last > longest ? t - last : longest;
            last = t;
        }
        if (divide) {
            printf("%s%lld", comma, (long long)(longest / 1000000));
            comma = ", ";
            longest = divide = 0;
        }
    }
    printf("], \"sent\": %u, \"answered\": %u}\n", sent, answered);
    return 0;
}
