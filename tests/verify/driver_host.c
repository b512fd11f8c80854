/* A program that drives a simulated accelerator with the C driver; prints what it has checked. */
#include <stdio.h>
#include <stdlib.h>

#include "systopack.h"
#include "vectors.h" /* IMAGES, BEATS, BEAT_BYTES, RESULTS, images, results */

/* The simulated board: tests/verify/board.py. */
void begin(uint32_t seed);
void reset(long cycles);
void queue_write(uint32_t address, uint32_t value, uint32_t strobe);
void queue_read(uint32_t address);
void queue_image(const uint8_t *image, long beats, int last);
int writing(void);
int reading(void);
int write_answer(void);
uint32_t read_data(void);
int read_answer(void);
void advance(long cycles);
int take_image(uint32_t *to, long count, long limit);
long violations(void);
long assertions_failed(void);

#define LIMIT 1000000L
#define CHECK(rule) check((rule) != 0, #rule, __LINE__)

static long writes, lost = -1; /* the write that the bus swallows */
static int silent;             /* the bus tells no errors */

static void check(int right, const char *rule, int line)
{
    if (!right) {
        printf("line %d: not so: %s\n", line, rule);
        exit(1);
    }
}

static int put(void *context, uint32_t offset, uint32_t value)
{
    check(context == &writes, "the context is handed on", __LINE__);
    if (writes++ == lost)
        return 0;
    queue_write(offset, value, 15);
    while (writing())
        advance(1);
    return silent ? 0 : write_answer();
}

static int get(void *context, uint32_t offset, uint32_t *value)
{
    check(context == &writes, "the context is handed on", __LINE__);
    queue_read(offset);
    while (reading())
        advance(1);
    *value = read_data();
    return silent ? 0 : read_answer();
}

static void run(const struct systopack *device, int number)
{
    static uint32_t words[RESULTS];
    int at;

    CHECK(systopack_start(device) == SYSTOPACK_OK);
    queue_image(images[number], BEATS, 1);
    CHECK(take_image(words, RESULTS, LIMIT));
    for (at = 0; at < RESULTS; at++)
        CHECK(words[at] == results[number][at]);
    CHECK(systopack_wait(device, 100000) == SYSTOPACK_OK);
}

static void refusals(struct systopack *device)
{
    static const uint32_t endless[] = {0, 0xffffffffu, 0xffffffffu, 1}, empty[] = {0, 0, 1};
    struct systopack_network wrong = systopack_network;
    long before = writes;
    size_t count;

    wrong.build ^= 1;
    CHECK(systopack_load(device, &wrong) == SYSTOPACK_OTHER_BUILD);
    wrong.identity ^= 1;
    CHECK(systopack_load(device, &wrong) == SYSTOPACK_OTHER_KIND);
    wrong = systopack_network;
    for (count = 0; count < 3 + wrong.words[1] * wrong.words[2]; count++) {
        wrong.count = count;
        CHECK(systopack_load(device, &wrong) == SYSTOPACK_BAD_WORDS);
    }
    wrong.count = systopack_network.count - 1;
    CHECK(systopack_load(device, &wrong) == SYSTOPACK_BAD_WORDS);
    wrong.words = endless;
    wrong.count = 4;
    CHECK(systopack_load(device, &wrong) == SYSTOPACK_BAD_WORDS);
    wrong.words = empty;
    wrong.count = 3;
    CHECK(systopack_load(device, &wrong) == SYSTOPACK_BAD_WORDS);
    CHECK(writes == before);
}

int main(int count, char **arguments)
{
    uint32_t seed = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 0, drops, words[RESULTS];
    struct systopack device;
    struct systopack_counters counters;
    int number;

    begin(seed);
    reset(4);
    CHECK(systopack_network.image_beats == BEATS && systopack_network.beat_bytes == BEAT_BYTES);
    CHECK(systopack_network.result_words == RESULTS);
    CHECK(systopack_open(&device, put, get, &writes) == SYSTOPACK_OK);
    CHECK(systopack_check(&device, &systopack_network) == SYSTOPACK_OK);
    refusals(&device);
    CHECK(systopack_load(&device, &systopack_network) == SYSTOPACK_OK);
    for (number = 0; number < IMAGES; number++) {
        run(&device, number);
        CHECK(systopack_counters(&device, &counters) == SYSTOPACK_OK);
        CHECK(seed ? counters.cycles > 0 : counters.cycles == systopack_network.cycles);
    }
    CHECK(systopack_dropped(&device, &drops) == SYSTOPACK_OK && drops == 0);

    /* One image a beat too short, the next one whole. */
    CHECK(systopack_start(&device) == SYSTOPACK_OK);
    queue_image(images[0], BEATS - 1, 1);
    queue_image(images[1], BEATS, 1);
    CHECK(take_image(words, RESULTS, LIMIT) && words[0] == results[1][0]);
    CHECK(systopack_wait(&device, 100000) == SYSTOPACK_OK);
    CHECK(systopack_dropped(&device, &drops) == SYSTOPACK_OK && drops == 1);
    CHECK(systopack_dropped(&device, &drops) == SYSTOPACK_OK && drops == 0);

    /* An image that does not end keeps it busy, until an abort. */
    CHECK(systopack_start(&device) == SYSTOPACK_OK);
    queue_image(images[0], 2, 0);
    advance(200);
    CHECK(systopack_idle(&device) == SYSTOPACK_BUSY && systopack_wait(&device, 9) == SYSTOPACK_BUSY);
    CHECK(systopack_load(&device, &systopack_network) == SYSTOPACK_BUSY);
    CHECK(systopack_abort(&device) == SYSTOPACK_OK);
    queue_image(images[0], 1, 1); /* its end */
    CHECK(systopack_wait(&device, 100000) == SYSTOPACK_OK);
    run(&device, 1);

    /* A write that is lost on a bus that tells no errors. */
    silent = 1;
    lost = writes + 3 + systopack_network.words[2] - 1; /* the first COMMIT */
    CHECK(systopack_load(&device, &systopack_network) == SYSTOPACK_REFUSED);
    CHECK(systopack_load(&device, &systopack_network) == SYSTOPACK_OK);
    run(&device, 0);
    CHECK(violations() + assertions_failed() == 0);
    printf("PASS\n");
    return 0;
}
