/* The block that the gzip compressor works on: matches.c fills it with sequences, gzip.c writes them. */
#ifndef BLOCK_H
#define BLOCK_H

#include <stdint.h>
#include <string.h>

#if !defined(__GNUC__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "needs gcc or clang, and a little-endian machine"
#endif

#define INLINE static inline __attribute__((always_inline))

enum {
    LENGTH_MAX = 258, /* of a match */
    BLOCK_MAX = 131072, /* bytes of input */
    SEQUENCES_MAX = 16384,
    HASH_BITS = 15,
    SUFFIX_BITS = 14,
};

/* Literals, and the match that follows them. */
typedef struct {
    uint32_t literals;
    uint16_t length;   /* 0: none follows, and the block ends */
    uint16_t distance; /* less one */
} Sequence;

/* The block that is compressed. */
typedef struct {
    /* Where bytes occurred last, modulo 64 KiB. A stale position leads to bytes of the input that are compared like any
     * other, so zeros are all that a new input needs. */
    uint16_t latest[1 << HASH_BITS];
    uint16_t suffixes[1 << SUFFIX_BITS];
    Sequence sequences[SEQUENCES_MAX];
    uint8_t literals[BLOCK_MAX + 32]; /* of all sequences, end to end */
    uint32_t sequence_count, literal_count;
    uint32_t literal_cost; /* quarter bits, in the block before */
    const uint8_t *in, *end;
    const uint8_t *start; /* of the block */
    const uint8_t *stop;  /* of the block, at the latest */
} Block;

INLINE uint64_t load64(const uint8_t *from)
{
    uint64_t loaded;
    memcpy(&loaded, from, 8);
    return loaded;
}

#endif
