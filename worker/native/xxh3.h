/* XXH3-64 with seed 0 and the default secret: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md. */
#ifndef XXH3_H
#define XXH3_H

#include <stddef.h>
#include <stdint.h>

uint64_t xxh3(const void *data, size_t size);

#endif
