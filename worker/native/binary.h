/* What the header and the numbers of a COPY … (FORMAT binary) are: PostgreSQL's manual, "COPY", "Binary Format". */
#ifndef BINARY_H
#define BINARY_H

#include <stdint.h>
#include <string.h>

enum { BINARY_HEADER = 19 };

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

#endif
