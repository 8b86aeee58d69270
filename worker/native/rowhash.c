/* The order-independent hash of rows: the sum, modulo 2^64, of the XXH3-64 of each. docs/receipts.md says what a row's
 * bytes are. */
#include "xxh3.h"

#include <string.h>

typedef struct {
    uint64_t sum;
    int64_t rows;    /* so far, skipped ones included */
    int64_t skip;    /* how many rows at the beginning are not hashed: a header */
    int64_t scanned; /* how far the unfinished row was looked through */
    int32_t quoted;  /* whether that place is inside quotes */
} CsvRows;

/* Adds the rows that end in `data`. Returns the bytes that they take: the caller gives the rest again, before what
 * follows it. A row of any size is scanned once. */
int64_t rowhash_csv(CsvRows *state, const char *data, int64_t size)
{
    int64_t begin = 0, at = state->scanned;
    while (at < size) {
        if (state->quoted) {
            const char *quote = memchr(data + at, '"', (size_t)(size - at));
            if (!quote)
                break;
            at = quote - data + 1;
            state->quoted = 0;
            continue;
        }
        const char *end = memchr(data + at, '\n', (size_t)(size - at));
        int64_t stop = end ? end - data : size;
        const char *quote = memchr(data + at, '"', (size_t)(stop - at));
        if (quote) {
            at = quote - data + 1;
            state->quoted = 1;
            continue;
        }
        if (!end)
            break;
        if (state->rows++ >= state->skip)
            state->sum += xxh3(data + begin, (size_t)(stop + 1 - begin));
        begin = at = stop + 1;
    }
    state->scanned = size - begin;
    return begin;
}

/* As xxh3, by its address. */
uint64_t rowhash_one(const char *data, int64_t size) { return xxh3(data, (size_t)size); }
