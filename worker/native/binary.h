/* What the header and the numbers of a COPY … (FORMAT binary) are: PostgreSQL's manual, "COPY", "Binary Format". */
#ifndef BINARY_H
#define BINARY_H

#include <stdint.h>
#include <string.h>

enum { BINARY_HEADER = 19, FIELD_COUNT = 2 /* bytes of it, before a row's fields */ };

/* PostgreSQL counts from 2000 on, others from 1970. */
enum { DAYS_TO_2000 = 10957 };
#define MICROSECONDS_A_DAY INT64_C(86400000000)

static inline uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static inline uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

static inline uint64_t get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}

/* Skips what precedes the first row; PostgreSQL sends it in one message with that. Gives 0 if it is no such header. */
static inline int skip_header(const uint8_t **from, const uint8_t *end)
{
    static const char SIGNATURE[11] = "PGCOPY\n\377\r\n"; /* and a zero */
    /* No flag is known: those below bit 16 may be passed over. */
    if (end - *from < BINARY_HEADER || memcmp(*from, SIGNATURE, sizeof SIGNATURE) != 0 || get32(*from + 11) >> 16)
        return 0;
    uint32_t extension = get32(*from + 15);
    *from += BINARY_HEADER;
    if (extension > end - *from)
        return 0;
    *from += extension;
    return 1;
}

/* What a message holds: nothing but the header or the trailer, a row, or neither. */
enum Message { NO_ROW, ROW, NO_MESSAGE };

/* Reads a message up to its fields, where `*from` is then: a row has exactly `count` of them. The first message has the
 * header, and the last one the trailer. */
static inline enum Message open_message(int32_t *is_begun, int32_t *is_ended, int count, const uint8_t **from,
                                        const uint8_t *end)
{
    if (!*is_begun) {
        if (!skip_header(from, end))
            return NO_MESSAGE;
        *is_begun = 1;
        if (*from == end)
            return NO_ROW;
    }
    if (*is_ended || end - *from < FIELD_COUNT)
        return NO_MESSAGE;
    int fields = (int16_t)get16(*from);
    *from += FIELD_COUNT;
    if (fields == -1) {
        *is_ended = 1;
        return *from == end ? NO_ROW : NO_MESSAGE;
    }
    return fields == count ? ROW : NO_MESSAGE;
}

#endif
