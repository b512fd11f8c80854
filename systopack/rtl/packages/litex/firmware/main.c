/* SPDX-License-Identifier: Apache-2.0 */
/* Configures the accelerator, runs every image that data.S holds and prints what came out. It
 * starts by itself: LiteX's start-up code, no BIOS and no C library. */
#include <generated/csr.h>
#include <generated/mem.h>
#include <generated/soc.h>
#include <irq.h>

#include "systopack.h"

/* IMAGES, IMAGE_BYTES, RESULT_WORDS and WEIGHT_BYTES (0: no stream of weights) come from sim.py. */
#define IMAGE_PITCH ((IMAGE_BYTES + 3u) & ~3u)

extern const uint8_t images[], weights[];
extern const int32_t expected[];
static volatile int32_t results[RESULT_WORDS];
static volatile uint32_t events; /* that the interrupt has seen */

void isr(void);
int main(void);

static void print(const char *text)
{
    for (; *text != 0; text++) {
        while (uart_txfull_read())
            ;
        uart_rxtx_write((uint32_t)*text);
        uart_ev_pending_write(2); /* sent; nobody waits for the interrupt */
    }
}

static void print_number(uint32_t value)
{
    char digits[11], *at = digits + 10;

    *at = 0;
    do
        *--at = (char)('0' + value % 10u);
    while ((value /= 10u) != 0);
    print(at);
}

static void end(void)
{
    uint32_t at;

    for (at = 0; at < 1000; at++) /* until the last characters have gone */
        (void)uart_txfull_read();
    sim_finish_finish_write(1);
    for (;;)
        ;
}

static void fail(const char *why)
{
    print("FAIL: ");
    print(why);
    print("\n");
    end();
}

void isr(void)
{
    if ((csrr(mcause) & 0x80000000u) == 0)
        fail("the processor met an exception");
    if ((irq_pending() & irq_getmask() & (1u << ACCELERATOR_INTERRUPT)) != 0) {
        uint32_t pending = accelerator_ev_pending_read();

        accelerator_ev_pending_write(pending);
        events |= pending;
    }
}

static uint32_t cycles(void)
{
    timer0_uptime_latch_write(1);
    return (uint32_t)timer0_uptime_cycles_read();
}

static int put(void *base, uint32_t offset, uint32_t value)
{
    ((volatile uint32_t *)base)[offset / 4] = value;
    return 0; /* this bus tells no errors of writes; the driver looks whether all has arrived */
}

static int get(void *base, uint32_t offset, uint32_t *value)
{
    *value = ((volatile uint32_t *)base)[offset / 4];
    return 0;
}

static void check(enum systopack_status status)
{
    if (status != SYSTOPACK_OK)
        fail(systopack_message(status));
}

/* Run one image, its results into `results`. */
static void run(struct systopack *device, uint32_t image, uint32_t limit)
{
    uint32_t began = cycles();

    events = 0;
    accelerator_results_base_write((uint32_t)results);
    accelerator_results_length_write(sizeof results);
    accelerator_results_start_write(1);
    accelerator_image_base_write((uint32_t)(images + image * IMAGE_PITCH));
    accelerator_image_length_write(IMAGE_BYTES);
    accelerator_image_start_write(1);
#if WEIGHT_BYTES
    accelerator_weights_base_write((uint32_t)weights);
    accelerator_weights_length_write(WEIGHT_BYTES);
    accelerator_weights_start_write(1);
#endif
    if (image == 0 || systopack_network.identity == SYSTOPACK_IDENTITY_TILED)
        check(systopack_start(device));
    while ((events & (1u << CSR_ACCELERATOR_EV_STATUS_RESULTS_OFFSET)) == 0)
        if (cycles() - began > limit)
            fail("no results within twice the time of an image");
    flush_cpu_dcache(); /* what was there before */
    if (accelerator_results_count_read() != RESULT_WORDS)
        fail("results of another number");
}

static uint32_t largest(void)
{
    uint32_t at, found = 0;

    for (at = 1; at < RESULT_WORDS; at++)
        if (results[at] > results[found])
            found = at;
    return found;
}

int main(void)
{
    struct systopack device;
    uint32_t image, at, began, took, wrong, dropped, all = 0, failed = 0, ready, first = 0;

    began = cycles();
    check(systopack_open(&device, put, get, (void *)ACCELERATOR_REGISTERS_BASE));
    check(systopack_load(&device, &systopack_network));
    ready = cycles();
    print("configuration: ");
    print_number(ready - began);
    print(" cycles\n");
    accelerator_ev_enable_write(1u << CSR_ACCELERATOR_EV_ENABLE_RESULTS_OFFSET);
    irq_setmask(1u << ACCELERATOR_INTERRUPT);
    irq_setie(1);
    for (image = 0; image < IMAGES; image++) {
        uint32_t class, limit = 2u * systopack_network.cycles + 100000u;

        began = cycles();
        run(&device, image, limit);
        class = largest();
        took = cycles() - began;
        if (image == 0)
            first = cycles();
        all += took;
        for (at = 0, wrong = 0; at < RESULT_WORDS; at++)
            wrong += results[at] != expected[image * RESULT_WORDS + at];
        failed += wrong != 0;
        print("image ");
        print_number(image);
        print(": class ");
        print_number(class);
        print(", ");
        print_number(took);
        print(wrong != 0 ? " cycles, results DIFFER\n" : " cycles, results as expected\n");
    }
    check(systopack_dropped(&device, &dropped));
    print("first class: ");
    print_number(first);
    print(" cycles from reset\nall images: ");
    print_number(all);
    print(" cycles\n");
    if (failed != 0 || dropped != 0)
        fail("results differ, or images were dropped");
    print("PASS\n");
    end();
    return 0;
}
