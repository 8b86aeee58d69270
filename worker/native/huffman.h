/* Makes the codes of a block. */
#ifndef HUFFMAN_H
#define HUFFMAN_H

#include <stdint.h>

enum { LITERAL_CODES = 286, DISTANCE_CODES = 30 };

/* A prefix code whose lengths are at most `limit`, for the symbols that occur and for two at the least. */
void huffman_code(const uint32_t *frequencies, int symbols, int limit, uint8_t *lengths, uint16_t *codes);

#endif
