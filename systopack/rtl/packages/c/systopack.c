/* SPDX-License-Identifier: Apache-2.0 */
#include "systopack.h"

#define BLOCK_HEAD 3 /* MEMORY, words of memory, uint32_t in each */

static enum systopack_status put(const struct systopack *device, uint32_t offset, uint32_t value)
{
    return device->write(device->context, offset, value) == 0 ? SYSTOPACK_OK : SYSTOPACK_REFUSED;
}

static enum systopack_status get(const struct systopack *device, uint32_t offset, uint32_t *value)
{
    return device->read(device->context, offset, value) == 0 ? SYSTOPACK_OK : SYSTOPACK_REFUSED;
}

enum systopack_status systopack_open(struct systopack *device, systopack_write_function write,
                                     systopack_read_function read, void *context)
{
    uint32_t identity;
    enum systopack_status status;

    device->write = write;
    device->read = read;
    device->context = context;
    status = get(device, SYSTOPACK_IDENTITY, &identity);
    if (status == SYSTOPACK_OK && identity != SYSTOPACK_IDENTITY_TILED &&
        identity != SYSTOPACK_IDENTITY_PIPELINED)
        status = SYSTOPACK_OTHER_KIND;
    if (status == SYSTOPACK_OK)
        status = get(device, SYSTOPACK_DROPPED, &device->dropped);
    return status;
}

enum systopack_status systopack_check(const struct systopack *device,
                                      const struct systopack_network *network)
{
    uint32_t found;
    enum systopack_status status = get(device, SYSTOPACK_IDENTITY, &found);

    if (status == SYSTOPACK_OK && found != network->identity)
        status = SYSTOPACK_OTHER_KIND;
    if (status == SYSTOPACK_OK)
        status = get(device, SYSTOPACK_BUILD, &found);
    if (status == SYSTOPACK_OK && found != network->build)
        status = SYSTOPACK_OTHER_BUILD;
    return status;
}

/* The values of a block, or 0 where it does not end within `left`. */
static size_t values_of(const uint32_t *block, size_t left)
{
    size_t words, each;

    if (left < BLOCK_HEAD)
        return 0;
    words = block[1];
    each = block[2];
    left -= BLOCK_HEAD;
    return words != 0 && each != 0 && words <= left / each ? words * each : 0;
}

static enum systopack_status fill(const struct systopack *device, const uint32_t *block)
{
    const uint32_t *value = block + BLOCK_HEAD;
    uint32_t word, chunk, address;
    enum systopack_status status = put(device, SYSTOPACK_MEMORY, block[0]);

    if (status == SYSTOPACK_OK)
        status = put(device, SYSTOPACK_ADDRESS, 0);
    for (word = 0; word < block[1] && status == SYSTOPACK_OK; word++) {
        for (chunk = 0; chunk < block[2] && status == SYSTOPACK_OK; chunk++)
            status = put(device, SYSTOPACK_DATA, *value++);
        if (status == SYSTOPACK_OK)
            status = put(device, SYSTOPACK_COMMIT, 0);
    }
    if (status == SYSTOPACK_OK)
        status = get(device, SYSTOPACK_ADDRESS, &address);
    if (status == SYSTOPACK_OK && address != block[1])
        status = SYSTOPACK_REFUSED;
    return status;
}

enum systopack_status systopack_load(const struct systopack *device,
                                     const struct systopack_network *network)
{
    size_t at, values;
    enum systopack_status status = systopack_check(device, network);

    if (status == SYSTOPACK_OK)
        status = systopack_idle(device);
    if (status == SYSTOPACK_OK && network->count == 0)
        status = SYSTOPACK_BAD_WORDS;
    for (at = 0; at < network->count && status == SYSTOPACK_OK; at += BLOCK_HEAD + values) {
        values = values_of(network->words + at, network->count - at);
        if (values == 0)
            status = SYSTOPACK_BAD_WORDS;
    }
    for (at = 0; at < network->count && status == SYSTOPACK_OK; at += BLOCK_HEAD + values) {
        values = values_of(network->words + at, network->count - at);
        status = fill(device, network->words + at);
    }
    return status;
}

enum systopack_status systopack_start(const struct systopack *device)
{
    return put(device, SYSTOPACK_CONTROL, SYSTOPACK_CONTROL_START);
}

enum systopack_status systopack_abort(const struct systopack *device)
{
    return put(device, SYSTOPACK_CONTROL, SYSTOPACK_CONTROL_ABORT);
}

enum systopack_status systopack_idle(const struct systopack *device)
{
    uint32_t control;
    enum systopack_status status = get(device, SYSTOPACK_CONTROL, &control);

    if (status == SYSTOPACK_OK && (control & SYSTOPACK_CONTROL_BUSY) != 0)
        status = SYSTOPACK_BUSY;
    return status;
}

enum systopack_status systopack_wait(const struct systopack *device, uint32_t polls)
{
    enum systopack_status status = SYSTOPACK_BUSY;

    for (; polls != 0 && status == SYSTOPACK_BUSY; polls--)
        status = systopack_idle(device);
    return status;
}

enum systopack_status systopack_dropped(struct systopack *device, uint32_t *count)
{
    uint32_t all;
    enum systopack_status status = get(device, SYSTOPACK_DROPPED, &all);

    if (status == SYSTOPACK_OK) {
        *count = all - device->dropped;
        device->dropped = all;
    }
    return status;
}

enum systopack_status systopack_counters(const struct systopack *device,
                                         struct systopack_counters *counters)
{
    enum systopack_status status = get(device, SYSTOPACK_CYCLES, &counters->cycles);

    if (status == SYSTOPACK_OK)
        status = get(device, SYSTOPACK_ENTERED, &counters->entered);
    if (status == SYSTOPACK_OK)
        status = get(device, SYSTOPACK_STALLED, &counters->stalled);
    return status;
}

const char *systopack_message(enum systopack_status status)
{
    switch (status) {
    case SYSTOPACK_OK:
        return "all is well";
    case SYSTOPACK_REFUSED:
        return "the bus or the accelerator answered with an error";
    case SYSTOPACK_OTHER_KIND:
        return "there is no accelerator of this kind; check the base address";
    case SYSTOPACK_OTHER_BUILD:
        return "the accelerator was built for another network; load its own";
    case SYSTOPACK_BAD_WORDS:
        return "the configuration words are cut off";
    case SYSTOPACK_BUSY:
        return "the accelerator is busy";
    }
    return "no status of this driver";
}
