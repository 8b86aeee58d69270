/* Finds what repeats in a block. */
#ifndef MATCHES_H
#define MATCHES_H

#include "block.h"

/* Fills the block's sequences and literals from `start` on. Returns its end, which is `stop` if the input ends there. */
const uint8_t *matches_find(Block *block);

#endif
