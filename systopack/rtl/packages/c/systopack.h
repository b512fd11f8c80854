/* SPDX-License-Identifier: Apache-2.0 */
/* Driver of an accelerator behind its AXI4-Lite registers: C99, no heap, no operating system.
 *
 * Images and results go through the two AXI4-Streams, by DMA or whatever the system has there.
 * All functions give SYSTOPACK_OK, which is 0, or what was wrong. They do not lock: one caller at
 * a time for a device. */
#ifndef SYSTOPACK_H
#define SYSTOPACK_H

#include <stddef.h>
#include <stdint.h>

#include "systopack_registers.h"

enum systopack_status {
    SYSTOPACK_OK = 0,
    SYSTOPACK_REFUSED,     /* the bus or the accelerator answered with an error */
    SYSTOPACK_OTHER_KIND,  /* IDENTITY: no accelerator there, or of the other organisation */
    SYSTOPACK_OTHER_BUILD, /* BUILD: it was built with other widths and depths than the network's */
    SYSTOPACK_BAD_WORDS,   /* the configuration is cut off or no configuration */
    SYSTOPACK_BUSY         /* it does something, or did not end within the polls allowed */
};

/* How registers are reached: both give 0, or anything else where the bus answered with an error.
 * A bus that cannot tell gives 0 always. `offset`: bytes from the accelerator's base address. */
typedef int (*systopack_write_function)(void *context, uint32_t offset, uint32_t value);
typedef int (*systopack_read_function)(void *context, uint32_t offset, uint32_t *value);

struct systopack {
    systopack_write_function write;
    systopack_read_function read;
    void *context;    /* given to both */
    uint32_t dropped; /* what DROPPED was when it was asked last */
};

/* A network, as `systopack rtl --package c` writes it. */
struct systopack_network {
    uint32_t identity;     /* what IDENTITY has to be */
    uint32_t build;        /* what BUILD has to be */
    uint32_t image_beats;  /* beats of an image, the last with TLAST: pixels channel by channel and
                            * row by row; layer-pipelined: all channels of a position in a beat */
    uint32_t beat_bytes;   /* int8, the first one lowest */
    uint32_t result_words; /* int32, the last with TLAST, channel by channel; layer-pipelined:
                            * position by position */
    uint32_t cycles;       /* of an image, with a host that never waits */
    const uint32_t *words; /* blocks of: MEMORY, words of memory, uint32_t in each, their values */
    size_t count;          /* of uint32_t in `words` */
};

/* The one in systopack_network.c. Compile that file with -DSYSTOPACK_NETWORK=NAME to have several
 * networks in a program. */
extern const struct systopack_network systopack_network;

/* Look whether an accelerator is there, and keep how to reach it. */
enum systopack_status systopack_open(struct systopack *device, systopack_write_function write,
                                     systopack_read_function read, void *context);

/* Whether the accelerator was built for this network: IDENTITY and BUILD. */
enum systopack_status systopack_check(const struct systopack *device,
                                      const struct systopack_network *network);

/* Fill the memories. Everything is checked before the first write: the kind, the build, that
 * nothing runs and that `words` holds whole blocks. After each block ADDRESS tells whether all of
 * it has arrived, on any bus. One that was cut off is repeated from its beginning. */
enum systopack_status systopack_load(const struct systopack *device,
                                     const struct systopack_network *network);

/* Start: one image runs, on a layer-pipelined accelerator all that follow. REFUSED where a start
 * cannot be kept; a bus that tells no errors does not tell that. */
enum systopack_status systopack_start(const struct systopack *device);

/* Stop what goes on and forget it; the memories keep their contents. A packet of results that had
 * begun ends with a word 0; the rest of an image that had begun is taken and thrown away. */
enum systopack_status systopack_abort(const struct systopack *device);

/* OK where nothing goes on, BUSY where it does: asked once, or up to `polls` times. */
enum systopack_status systopack_idle(const struct systopack *device);
enum systopack_status systopack_wait(const struct systopack *device, uint32_t polls);

/* Whether images of the wrong length were dropped since this was asked last or the device was
 * opened: `count` of them. Open the device anew after a reset. */
enum systopack_status systopack_dropped(struct systopack *device, uint32_t *count);

/* Counters of this or the last run: clock cycles, word times in which words entered the array, and
 * in which it only waited for weights (tiled). */
struct systopack_counters {
    uint32_t cycles, entered, stalled;
};
enum systopack_status systopack_counters(const struct systopack *device,
                                         struct systopack_counters *counters);

/* A status in words. */
const char *systopack_message(enum systopack_status status);

#endif
