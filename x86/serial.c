/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 16550 UART: output by polling, since what is said last before a crash must be out; input by interrupt.
 *
 * No lock here: output comes under the log's lock, input from one CPU's interrupt entry.
 */
#include "x86/serial.h"

#include "boot/parse/cmdline.h"
#include "core/console.h"
#include "core/machine.h"
#include "core/pcpu.h"
#include "core/time.h"
#include "core/timer.h"
#include "x86/asm.h"
#include "x86/irq.h"

enum uart_reg {
    UART_DATA = 0, UART_DIV_LOW = 0,
    UART_INT_ENABLE = 1, UART_DIV_HIGH = 1,
    UART_INT_ID = 2, UART_FIFO = 2,
    UART_LINE = 3,
    UART_MODEM = 4,
    UART_STATUS = 5,
    UART_SCRATCH = 7,
    UART_PORTS = 8,
};

#define INT_RECEIVE    0x01
#define FIFO_ON_CLEAR  0x07
#define LINE_DLAB      0x80
#define MODEM_DTR_RTS  0x03
#define MODEM_OUT2     0x08      /* lets the interrupt line out */
#define STATUS_RECEIVED 0x01
#define STATUS_ROOM    0x20

#define UART_CLOCK     115200u   /* divisor 1 */
#define SEND_TURNS     200000u   /* polls until a byte is given up */
#define RECEIVE_MOST   4096u     /* bytes taken in one go: more than any FIFO has */
#define POLL_NS        MS(20)

static struct {
    uint16_t io;      /* first of its ports           */
    uint8_t irq;      /* ISA; 0: polled by timer      */
} line;
static bool present, last_was_cr;
static struct timer poll_timer;

static uint8_t uart_read(enum uart_reg r)          { return inb(line.io + r); }
static void uart_write(enum uart_reg r, uint8_t v) { outb(line.io + r, v); }

static uint8_t line_control(const struct option_serial *c)
{
    uint8_t v = (uint8_t)(c->data_bits - 5) | (c->stop_bits == 2 ? 0x04 : 0);

    switch (c->parity) {
    case 'o': return v | 0x08;
    case 'e': return v | 0x18;
    case 'm': return v | 0x28;
    case 's': return v | 0x38;
    default:  return v;
    }
}

/* A register that keeps what is written to it: someone is there. */
static bool uart_answers(void)
{
    uart_write(UART_SCRATCH, 0x5a);
    if (uart_read(UART_SCRATCH) != 0x5a)
        return false;
    uart_write(UART_SCRATCH, 0xa5);
    return uart_read(UART_SCRATCH) == 0xa5;
}

/* Speed and format. */
static void uart_format(const struct option_serial *c)
{
    uint32_t clock = c->base_baud ? c->base_baud : UART_CLOCK;
    uint32_t divisor = c->baud ? MAX(clock / c->baud, 1u) : 0;

    if (divisor) {
        uart_write(UART_LINE, LINE_DLAB | line_control(c));
        uart_write(UART_DIV_LOW, (uint8_t)divisor);
        uart_write(UART_DIV_HIGH, (uint8_t)(divisor >> 8));
    }
    uart_write(UART_LINE, line_control(c));
}

bool serial_init(const struct boot_options *o)
{
    bool second = !(o->console & OPTION_CONSOLE_COM1);
    struct option_serial c = second ? o->com2 : o->com1;

    present = false;
    if (!(o->console & (OPTION_CONSOLE_COM1 | OPTION_CONSOLE_COM2)) || c.io_base > 0xfff8)
        return false;
    if (!c.given)
        c.baud = UART_CLOCK;
    line.io = c.io_base ? (uint16_t)c.io_base : second ? 0x2f8 : 0x3f8;
    line.irq = c.irq < 0 ? (second ? 3 : 4) : (uint8_t)c.irq;
    if (!uart_answers())
        return false;
    uart_write(UART_INT_ENABLE, 0);
    uart_format(&c);
    uart_write(UART_FIFO, FIFO_ON_CLEAR);
    uart_write(UART_MODEM, MODEM_DTR_RTS);
    present = true;
    return true;
}

static void send(char c)
{
    for (unsigned i = 0; i < SEND_TURNS; i++) {
        if (uart_read(UART_STATUS) & STATUS_ROOM) {
            uart_write(UART_DATA, (uint8_t)c);
            return;
        }
        cpu_pause();
    }
}

void serial_write(const char *s, size_t n)
{
    if (!present)
        return;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n' && !last_was_cr)
            send('\r');
        send(s[i]);
        last_was_cr = s[i] == '\r';
    }
}

/* Until nothing is left: the interrupt is an edge, which comes only after the line has fallen. */
static void receive(void)
{
    for (unsigned i = 0; i < RECEIVE_MOST && uart_read(UART_STATUS) & STATUS_RECEIVED; i++)
        console_input((char)uart_read(UART_DATA));
}

static void receive_interrupt(void *unused)
{
    uart_read(UART_INT_ID);
    receive();
}

static void poll(void *unused)
{
    receive();
    timer_set(&poll_timer, now_ns() + POLL_NS);
}

void serial_start_input(void)
{
    if (!present)
        return;
    if (line.irq && irq_claim_isa(line.irq, receive_interrupt, NULL) == 0) {
        uart_write(UART_MODEM, MODEM_DTR_RTS | MODEM_OUT2);
        uart_write(UART_INT_ENABLE, INT_RECEIVE);
    } else {
        timer_init(&poll_timer, poll, NULL, this_pcpu()->id);
        timer_set(&poll_timer, now_ns() + POLL_NS);
    }
    receive();
}

unsigned serial_ports(uint16_t *first)
{
    *first = line.io;
    return present ? UART_PORTS : 0;
}
