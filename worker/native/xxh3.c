/* XXH3-64, written after its specification (xxh3.h names it). tests/unit/worker/test_rowhash.py compares it with the
 * package xxhash for every size up to some thousand bytes. */
#include "xxh3.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words are read as they lie in memory"
#endif

typedef unsigned __int128 u128;

static const uint64_t PRIME32_1 = 0x9E3779B1, PRIME32_2 = 0x85EBCA77, PRIME32_3 = 0xC2B2AE3D;
static const uint64_t PRIME64_1 = 0x9E3779B185EBCA87, PRIME64_2 = 0xC2B2AE3D27D4EB4F, PRIME64_3 = 0x165667B19E3779F9;
static const uint64_t PRIME64_4 = 0x85EBCA77C2B2AE63, PRIME64_5 = 0x27D4EB2F165667C5;
static const uint64_t PRIME_MX1 = 0x165667919E3779F9, PRIME_MX2 = 0x9FB21C651E98DF25;

enum { SECRET_SIZE = 192, STRIPE = 64, STRIPES = (SECRET_SIZE - STRIPE) / 8, BLOCK = STRIPE * STRIPES };

static const uint8_t SECRET[SECRET_SIZE] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d,
    0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0,
    0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0,
    0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b,
    0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac,
    0xd8, 0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51,
    0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34,
    0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb, 0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49,
    0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8,
    0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b,
    0x40, 0x7e,
};

static uint32_t read32(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static uint64_t read64(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static uint64_t rotated(uint64_t word, int bits) { return word << bits | word >> (64 - bits); }

/* Both halves of a product, one over the other. */
static uint64_t folded(uint64_t a, uint64_t b)
{
    u128 product = (u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t avalanche(uint64_t x)
{
    x = (x ^ x >> 37) * PRIME_MX1;
    return x ^ x >> 32;
}

static uint64_t avalanche_xxh64(uint64_t x)
{
    x = (x ^ x >> 33) * PRIME64_2;
    x = (x ^ x >> 29) * PRIME64_3;
    return x ^ x >> 32;
}

static uint64_t up_to_16(const uint8_t *in, size_t size)
{
    if (size > 8) {
        uint64_t low = (read64(SECRET + 24) ^ read64(SECRET + 32)) ^ read64(in);
        uint64_t high = (read64(SECRET + 40) ^ read64(SECRET + 48)) ^ read64(in + size - 8);
        return avalanche(size + __builtin_bswap64(low) + high + folded(low, high));
    }
    if (size >= 4) {
        uint64_t combined = read32(in + size - 4) | (uint64_t)read32(in) << 32;
        uint64_t value = (read64(SECRET + 8) ^ read64(SECRET + 16)) ^ combined;
        value ^= rotated(value, 49) ^ rotated(value, 24);
        value *= PRIME_MX2;
        value = (value ^ ((value >> 35) + size)) * PRIME_MX2;
        return value ^ value >> 28;
    }
    if (size == 0)
        return avalanche_xxh64(read64(SECRET + 56) ^ read64(SECRET + 64));
    uint32_t combined = in[size - 1] | (uint32_t)size << 8 | (uint32_t)in[0] << 16 | (uint32_t)in[size >> 1] << 24;
    return avalanche_xxh64((uint64_t)(read32(SECRET) ^ read32(SECRET + 4)) ^ combined);
}

static uint64_t mixed(const uint8_t *in, const uint8_t *secret)
{
    return folded(read64(in) ^ read64(secret), read64(in + 8) ^ read64(secret + 8));
}

static uint64_t up_to_240(const uint8_t *in, size_t size)
{
    uint64_t sum = size * PRIME64_1;
    if (size <= 128) {
        for (size_t i = (size - 1) / 32 + 1; i-- > 0;)
            sum += mixed(in + 16 * i, SECRET + 32 * i) + mixed(in + size - 16 * i - 16, SECRET + 32 * i + 16);
        return avalanche(sum);
    }
    for (size_t i = 0; i < 8; i++)
        sum += mixed(in + 16 * i, SECRET + 16 * i);
    sum = avalanche(sum);
    for (size_t i = 8; i < size / 16; i++)
        sum += mixed(in + 16 * i, SECRET + 16 * (i - 8) + 3);
    return avalanche(sum + mixed(in + size - 16, SECRET + 119));
}

static void accumulate(uint64_t sums[8], const uint8_t *stripe, const uint8_t *secret)
{
    for (int i = 0; i < 8; i++) {
        uint64_t lane = read64(stripe + 8 * i), value = lane ^ read64(secret + 8 * i);
        sums[i ^ 1] += lane;
        sums[i] += (uint64_t)(uint32_t)value * (value >> 32);
    }
}

static uint64_t large(const uint8_t *in, size_t size)
{
    uint64_t sums[8] = {PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1};
    const uint8_t *last_stripe = in + size - STRIPE;
    size_t left = size;
    for (; left > BLOCK; left -= BLOCK, in += BLOCK) {
        for (int n = 0; n < STRIPES; n++)
            accumulate(sums, in + STRIPE * n, SECRET + 8 * n);
        for (int i = 0; i < 8; i++)
            sums[i] = ((sums[i] ^ sums[i] >> 47) ^ read64(SECRET + SECRET_SIZE - STRIPE + 8 * i)) * PRIME32_1;
    }
    for (size_t n = 0; n < (left - 1) / STRIPE; n++)
        accumulate(sums, in + STRIPE * n, SECRET + 8 * n);
    accumulate(sums, last_stripe, SECRET + SECRET_SIZE - 71);
    uint64_t result = size * PRIME64_1;
    for (int i = 0; i < 4; i++)
        result += folded(sums[2 * i] ^ read64(SECRET + 11 + 16 * i), sums[2 * i + 1] ^ read64(SECRET + 19 + 16 * i));
    return avalanche(result);
}

uint64_t xxh3(const void *data, size_t size)
{
    if (size <= 16)
        return up_to_16(data, size);
    return size <= 240 ? up_to_240(data, size) : large(data, size);
}
