/* Finds the matches of a block.
 *
 * - Scanning looks up one hash of 5 bytes a position. A match at the next position and the bytes before a match are then
 *   weighed without branches: what costs time is a mispredicted branch.
 * - The latest occurrence is rarely the longest. So a second table, of 8 bytes, is asked for the last 7 bytes of the
 *   match and the byte behind it; if what precedes them there equals the match, the match grows, and is tried again.
 *   Both tables stay small, since the second is used at the ends of matches only.
 * - A match is worth its length times the mean bits of a literal in the block before, less the bits of its distance. One
 *   that saves nothing is dropped: hexadecimal digits match by chance.
 */
#include "matches.h"

enum {
    WINDOW = 32768,
    MARGIN = 34,     /* no search so near to the end: it reads ahead */
    STEP_MAX = 8,    /* bytes passed over at most: what follows digits at random may match again */
    MATCH_COST = 36, /* codes of a length and a distance, less a bit; quarter bits */
    /* One long match becomes so many sequences at most. */
    PIECES_MAX = BLOCK_MAX / LENGTH_MAX + 2,
};

#define SPREAD UINT64_C(0x9E3779B97F4A7C15)

typedef struct {
    uint32_t length, distance;
} Match;

INLINE uint32_t hash5(uint64_t bytes) { return (uint32_t)((bytes << 24) * SPREAD >> (64 - HASH_BITS)); }

INLINE uint32_t hash8(uint64_t bytes) { return (uint32_t)(bytes * SPREAD >> (64 - SUFFIX_BITS)); }

static uint32_t long_length(const uint8_t *at, uint32_t distance, const uint8_t *end)
{
    const uint8_t *to = at + 16;
    for (; end - to >= 8; to += 8) {
        uint64_t differ = load64(to) ^ load64(to - distance);
        if (differ)
            return (uint32_t)(to - at) + (uint32_t)__builtin_ctzll(differ) / 8;
    }
    while (to < end && *to == *(to - distance))
        to++;
    return (uint32_t)(to - at);
}

/* At least 16 bytes before `end`. */
INLINE uint32_t match_length(const uint8_t *at, uint32_t distance, const uint8_t *end)
{
    uint64_t low = load64(at) ^ load64(at - distance), high = load64(at + 8) ^ load64(at + 8 - distance);
    if (__builtin_expect(!(low | high), 0))
        return long_length(at, distance, end);
    return (uint32_t)__builtin_ctzll(low ? low : high) / 8 + (low ? 0 : 8);
}

/* Quarter bits saved, but for MATCH_COST. */
INLINE int32_t worth(Match match, uint32_t literal_cost)
{
    return (int32_t)(match.length * literal_cost) - 4 * (31 - __builtin_clz(match.distance | 1));
}

/* The distance, modulo 64 KiB, of the latest position of the same hash, which this one becomes. */
INLINE uint32_t replace(Block *block, const uint8_t *at, uint64_t bytes)
{
    uint32_t hash = hash5(bytes), position = (uint32_t)(at - block->in);
    uint32_t distance = (uint16_t)(position - block->latest[hash]);
    block->latest[hash] = (uint16_t)position;
    return distance;
}

/* The first position that matches in 5 bytes, or one beyond the limit. */
INLINE const uint8_t *scan(Block *block, const uint8_t *at, const uint8_t *anchor, const uint8_t *limit, Match *match)
{
    while (at < limit) {
        uint64_t bytes = load64(at);
        uint32_t distance = replace(block, at, bytes);
        if (((load64(at - distance) ^ bytes) << 24) == 0 && distance - 1 < WINDOW) {
            *match = (Match){match_length(at, distance, block->stop), distance};
            break;
        }
        uint32_t step = (uint32_t)((at - anchor) >> 3); /* grows where nothing matches */
        at += 1 + (step < STEP_MAX ? step : STEP_MAX);
    }
    return at;
}

/* The match at one position, or one that is worth nothing. */
INLINE Match look_up(Block *block, const uint8_t *at)
{
    uint32_t distance = replace(block, at, load64(at));
    /* 0 is a multiple of 64 KiB: compared with itself, the whole block would match. */
    Match match = {match_length(at, distance ? distance : 1, block->stop), distance};
    if (distance - 1 >= WINDOW || match.length < 4) /* other bytes may have the same hash */
        match.length = 0;
    return match;
}

/* A longer match at the same place, by the occurrences of its end with the byte behind it. */
INLINE Match grow(Block *block, const uint8_t *at, Match match, const uint8_t *limit)
{
    for (;;) {
        const uint8_t *tail = at + (match.length < 8 ? 0 : match.length - 7);
        if (tail >= limit)
            return match;
        uint64_t bytes = load64(tail);
        uint32_t hash = hash8(bytes), position = (uint32_t)(tail - block->in);
        uint32_t distance = (uint16_t)(position - block->suffixes[hash]);
        block->suffixes[hash] = (uint16_t)position;
        if (distance - 1 >= WINDOW || load64(tail - distance) != bytes || at - block->in < distance)
            return match;
        uint32_t length = match_length(at, distance, block->stop);
        if (length <= match.length)
            return match;
        match = (Match){length, distance};
    }
}

/* So many bytes before a match lengthen it; at most 8. */
INLINE uint32_t extend_back(const Block *block, const uint8_t *at, const uint8_t *anchor, uint32_t distance)
{
    if (at - block->in < (int64_t)distance + 8)
        return 0;
    uint64_t differ = load64(at - 8) ^ load64(at - 8 - distance);
    uint32_t equal = differ ? (uint32_t)__builtin_clzll(differ) / 8 : 8;
    return equal < at - anchor ? equal : (uint32_t)(at - anchor);
}

static void add_literals(Block *block, const uint8_t *from, uint32_t count)
{
    uint8_t *to = block->literals + block->literal_count;
    block->literal_count += count;
    if (block->end - from < (int64_t)count + 16) {
        memcpy(to, from, count);
        return;
    }
    uint32_t done = 0;
    do
        memcpy(to + done, from + done, 16);
    while ((done += 16) < count);
}

INLINE void add_match(Block *block, uint32_t literals, Match match)
{
    Sequence *to = block->sequences + block->sequence_count;
    uint16_t distance = (uint16_t)(match.distance - 1);
    while (match.length > LENGTH_MAX) {
        /* What is left is no less than the shortest match. */
        uint32_t piece = match.length < LENGTH_MAX + 3 ? match.length - 3 : LENGTH_MAX;
        *to++ = (Sequence){literals, (uint16_t)piece, distance};
        literals = 0;
        match.length -= piece;
    }
    *to++ = (Sequence){literals, (uint16_t)match.length, distance};
    block->sequence_count = (uint32_t)(to - block->sequences);
}

const uint8_t *matches_find(Block *block)
{
    const uint8_t *at = block->start, *anchor = at; /* literals begin at the anchor */
    const uint8_t *limit = block->stop - at > MARGIN ? block->stop - MARGIN : at;
    block->sequence_count = block->literal_count = 0;
    while (block->sequence_count < SEQUENCES_MAX - PIECES_MAX) {
        Match match = {0, 0};
        at = scan(block, at, anchor, limit, &match);
        if (at >= limit) {
            if (at > block->stop)
                at = block->stop;
            break;
        }
        Match next = look_up(block, at + 1);
        const uint8_t *fresh = at + 2; /* not in the table yet */
        int later = worth(next, block->literal_cost) > worth(match, block->literal_cost);
        at += later;
        match.length = later ? next.length : match.length;
        match.distance = later ? next.distance : match.distance;
        if (worth(match, block->literal_cost) < MATCH_COST) {
            at = fresh;
            continue;
        }
        match = grow(block, at, match, limit);
        uint32_t back = extend_back(block, at, anchor, match.distance);
        at -= back;
        match.length += back;
        add_literals(block, anchor, (uint32_t)(at - anchor));
        add_match(block, (uint32_t)(at - anchor), match);
        anchor = at + match.length;
        if (anchor < limit) {
            if (fresh < anchor - 2)
                replace(block, fresh, load64(fresh));
            replace(block, anchor - 2, load64(anchor - 2));
        }
        at = anchor;
    }
    if (at >= limit && block->stop == block->end)
        at = block->end;
    add_literals(block, anchor, (uint32_t)(at - anchor));
    block->sequences[block->sequence_count++] = (Sequence){(uint32_t)(at - anchor), 0, 0};
    return at;
}
