/* Prefix codes of a limited length, as RFC 1951 wants them. */
#include "huffman.h"

#include <string.h>

enum { LENGTHS = 16 }; /* 0 to 15 */

/* Ascending. */
static void sort_keys(uint32_t *keys, int count)
{
    static const int GAPS[] = {57, 23, 10, 4, 1};
    for (int g = 0; g < 5; g++)
        for (int i = GAPS[g]; i < count; i++) {
            uint32_t key = keys[i];
            int to = i;
            for (; to >= GAPS[g] && keys[to - GAPS[g]] > key; to -= GAPS[g])
                keys[to] = keys[to - GAPS[g]];
            keys[to] = key;
        }
}

/* Moffat and Katajainen, in place: `nodes` holds ascending frequencies, then parents, then the depths of the inner nodes.
 * Counts the leaves of each depth, those beyond the limit as at the limit. */
static void count_depths(uint32_t *nodes, int count, int limit, int *depths)
{
    int leaf = 0, root = 0;
    for (int next = 0; next < count - 1; next++) {
        uint32_t sum = 0;
        for (int child = 0; child < 2; child++) {
            if (leaf >= count || (root < next && nodes[root] < nodes[leaf])) {
                sum += nodes[root];
                nodes[root++] = (uint32_t)next;
            } else {
                sum += nodes[leaf++];
            }
        }
        nodes[next] = sum;
    }
    nodes[count - 2] = 0;
    for (int i = count - 3; i >= 0; i--)
        nodes[i] = nodes[nodes[i]] + 1;
    int inner = count - 2, open = 1;
    for (int depth = 0; open > 0; depth++) {
        int used = 0;
        for (; inner >= 0 && (int)nodes[inner] == depth; inner--)
            used++;
        depths[depth < limit ? depth : limit] += open - used;
        open = 2 * used;
    }
}

/* Lengthens the cheapest shorter codes until the lengths are those of a prefix code again. */
static void repair_depths(int *depths, int limit)
{
    int64_t excess = -((int64_t)1 << limit);
    for (int i = 1; i <= limit; i++)
        excess += (int64_t)depths[i] << (limit - i);
    for (; excess > 0; excess--) {
        int i = limit - 1;
        while (!depths[i])
            i--;
        depths[limit]--;
        depths[i]--;
        depths[i + 1] += 2;
    }
}

/* The codes that follow from the lengths, their bits in the order in which they are written. */
static void assign_codes(const uint8_t *lengths, int symbols, const int *depths, uint16_t *codes)
{
    uint32_t next[LENGTHS] = {0};
    for (int i = 1; i < LENGTHS - 1; i++)
        next[i + 1] = (next[i] + (uint32_t)depths[i]) << 1;
    for (int i = 0; i < symbols; i++) {
        uint32_t code = next[lengths[i]], reversed = 0;
        next[lengths[i]] += lengths[i] > 0;
        for (int bit = 0; bit < lengths[i]; bit++, code >>= 1)
            reversed = reversed << 1 | (code & 1);
        codes[i] = (uint16_t)reversed;
    }
}

void huffman_code(const uint32_t *frequencies, int symbols, int limit, uint8_t *lengths, uint16_t *codes)
{
    enum { SYMBOL_BITS = 9 }; /* the rest of a key is the frequency */
    uint32_t keys[LITERAL_CODES], nodes[LITERAL_CODES];
    int count = 0, depths[LENGTHS] = {0};
    memset(lengths, 0, (size_t)symbols);
    for (int i = 0; i < symbols; i++)
        if (frequencies[i])
            keys[count++] = frequencies[i] << SYMBOL_BITS | (uint32_t)i;
    /* Some readers refuse a code of fewer than two symbols. */
    for (int i = 0; count < 2; i++)
        if (!frequencies[i])
            keys[count++] = 1 << SYMBOL_BITS | (uint32_t)i;
    sort_keys(keys, count);
    for (int i = 0; i < count; i++)
        nodes[i] = keys[i] >> SYMBOL_BITS;
    count_depths(nodes, count, limit, depths);
    repair_depths(depths, limit);
    for (int length = limit, i = 0; length > 0; length--)
        for (int j = 0; j < depths[length]; j++)
            lengths[keys[i++] & ((1 << SYMBOL_BITS) - 1)] = (uint8_t)length;
    assign_codes(lengths, symbols, depths, codes);
}
