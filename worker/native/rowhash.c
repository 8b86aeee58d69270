/* The order-independent hash of rows: the sum, modulo 2^64, of the XXH3-64 of each. docs/receipts.md says what a row's
 * bytes are. */
#include "xxh3.h"

#include <string.h>

/* Adds the rows of CSV that end in `data` to `*sum` and counts them. Returns the bytes that they take: the caller gives
 * the rest again, before what follows it. `*scanned` is how far the rest was looked through without finding its end, and
 * `*quoted` whether that place is inside quotes, so that a row of any size is scanned once. */
int64_t rowhash_csv(const char *data, int64_t size, uint64_t *sum, int64_t *rows, int64_t *scanned, int32_t *quoted)
{
    int64_t begin = 0, at = *scanned;
    while (at < size) {
        if (*quoted) {
            const char *quote = memchr(data + at, '"', (size_t)(size - at));
            if (!quote)
                break;
            at = quote - data + 1;
            *quoted = 0;
            continue;
        }
        const char *end = memchr(data + at, '\n', (size_t)(size - at));
        int64_t stop = end ? end - data : size;
        const char *quote = memchr(data + at, '"', (size_t)(stop - at));
        if (quote) {
            at = quote - data + 1;
            *quoted = 1;
            continue;
        }
        if (!end)
            break;
        *sum += xxh3(data + begin, (size_t)(stop + 1 - begin));
        ++*rows;
        begin = at = stop + 1;
    }
    *scanned = size - begin;
    return begin;
}

/* As xxh3, by its address. */
uint64_t rowhash_one(const char *data, int64_t size) { return xxh3(data, (size_t)size); }
