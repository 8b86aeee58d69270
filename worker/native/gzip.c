/* One gzip member (RFC 1951, RFC 1952) out of chunks of CSV. Matches do not reach from one chunk to another.
 *
 * ISA-L is faster, but by its greedy choice of short matches a table of random ids and repeated words takes more bytes
 * than by zlib's level 6; libdeflate makes it smaller, in three times the time. This is in between, and made for rows:
 * templates of repeated text around fields of random digits.
 */
#include "block.h"
#include "huffman.h"
#include "matches.h"

#include <stddef.h>

enum {
    FIRST_BLOCK = 16384,  /* while the cost of a literal is a guess */
    LITERAL_GUESS = 18,   /* quarter bits */
    LENGTH_SLOTS = 29,
    END_OF_BLOCK = 256,
    LITERAL_DEPTH = 14,   /* four literals and 7 pending bits fit in 64 bits */
    DISTANCE_DEPTH = 15,
    STORED_MAX = 65535,
    HEADER_CODES = 19,    /* those that describe the other codes */
};

typedef struct {
    uint8_t *out;
    uint64_t bits; /* that are not written yet, and how many */
    uint32_t count;
} Writer;

/* The codes of a block. */
typedef struct {
    uint32_t frequencies[LITERAL_CODES], distance_frequencies[DISTANCE_CODES];
    uint8_t lengths[LITERAL_CODES], distance_lengths[DISTANCE_CODES];
    uint16_t codes[LITERAL_CODES], distance_codes[DISTANCE_CODES];
    uint32_t literal_entries[256];           /* code, and its bits << 24 */
    uint32_t length_entries[LENGTH_MAX + 1]; /* code and extra bits, and their number << 24 */
} Codes;

/* How the codes are described in front of the block. */
typedef struct {
    int literal_codes, distance_codes, order_count, count;
    uint8_t symbols[LITERAL_CODES + DISTANCE_CODES], extras[LITERAL_CODES + DISTANCE_CODES];
    uint32_t frequencies[HEADER_CODES];
    uint8_t lengths[HEADER_CODES];
    uint16_t codes[HEADER_CODES];
} Header;

typedef struct {
    Block block; /* begins with the tables that are zeroed */
    Codes codes;
    Writer writer; /* what it has not written yet waits for the next chunk */
} Stream;

static const uint16_t LENGTH_BASES[LENGTH_SLOTS + 1] = {
    3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23,  27,
    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258, 259};
static const uint8_t ORDER[HEADER_CODES] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

/* Of a distance less one. */
INLINE uint32_t distance_slot(uint32_t distance)
{
    if (distance < 2)
        return distance;
    uint32_t top = 31 - (uint32_t)__builtin_clz(distance);
    return 2 * top + (distance >> (top - 1) & 1);
}

INLINE uint32_t distance_extra(uint32_t slot) { return slot < 2 ? 0 : slot / 2 - 1; }

static uint32_t length_extra(int slot) { return slot < 8 || slot == LENGTH_SLOTS - 1 ? 0 : (uint32_t)slot / 4 - 1; }

static uint32_t repeat_extra(int symbol) { return symbol < 16 ? 0 : symbol == 16 ? 2 : symbol == 17 ? 3 : 7; }

static void count_literals(const Block *block, uint32_t *frequencies)
{
    uint32_t counts[4][256]; /* four, so that equal neighbours do not wait for each other */
    memset(counts, 0, sizeof counts);
    uint32_t i = 0;
    for (; i + 4 <= block->literal_count; i += 4) {
        uint32_t four;
        memcpy(&four, block->literals + i, 4);
        for (int j = 0; j < 4; j++, four >>= 8)
            counts[j][four & 255]++;
    }
    for (; i < block->literal_count; i++)
        counts[0][block->literals[i]]++;
    for (i = 0; i < 256; i++)
        frequencies[i] = counts[0][i] + counts[1][i] + counts[2][i] + counts[3][i];
}

static void count_symbols(const Block *block, Codes *codes)
{
    uint32_t by_length[LENGTH_MAX + 1] = {0};
    memset(codes->distance_frequencies, 0, sizeof codes->distance_frequencies);
    count_literals(block, codes->frequencies);
    for (uint32_t i = 0; i + 1 < block->sequence_count; i++) {
        by_length[block->sequences[i].length]++;
        codes->distance_frequencies[distance_slot(block->sequences[i].distance)]++;
    }
    codes->frequencies[END_OF_BLOCK] = 1;
    for (int slot = 0; slot < LENGTH_SLOTS; slot++) {
        uint32_t sum = 0;
        for (int length = LENGTH_BASES[slot]; length < LENGTH_BASES[slot + 1]; length++)
            sum += by_length[length];
        codes->frequencies[END_OF_BLOCK + 1 + slot] = sum;
    }
}

static void add_symbol(Header *header, int symbol, int extra)
{
    header->symbols[header->count] = (uint8_t)symbol;
    header->extras[header->count++] = (uint8_t)extra;
    header->frequencies[symbol]++;
}

static void add_run(Header *header, int length, int run)
{
    for (; length == 0 && run >= 11; run -= run < 138 ? run : 138)
        add_symbol(header, 18, (run < 138 ? run : 138) - 11);
    if (length == 0 && run >= 3) {
        add_symbol(header, 17, run - 3);
        run = 0;
    }
    if (run > 0) {
        add_symbol(header, length, 0);
        run--;
    }
    for (; run >= 3; run -= run < 6 ? run : 6)
        add_symbol(header, 16, (run < 6 ? run : 6) - 3);
    for (; run > 0; run--)
        add_symbol(header, length, 0);
}

static void describe(const Codes *codes, Header *header)
{
    uint8_t all[LITERAL_CODES + DISTANCE_CODES];
    memset(header, 0, sizeof *header);
    header->literal_codes = LITERAL_CODES;
    header->distance_codes = DISTANCE_CODES;
    while (header->literal_codes > END_OF_BLOCK + 1 && !codes->lengths[header->literal_codes - 1])
        header->literal_codes--;
    while (header->distance_codes > 1 && !codes->distance_lengths[header->distance_codes - 1])
        header->distance_codes--;
    int count = header->literal_codes + header->distance_codes;
    memcpy(all, codes->lengths, (size_t)header->literal_codes);
    memcpy(all + header->literal_codes, codes->distance_lengths, (size_t)header->distance_codes);
    for (int i = 0, run; i < count; i += run) {
        for (run = 1; i + run < count && all[i + run] == all[i];)
            run++;
        add_run(header, all[i], run);
    }
    huffman_code(header->frequencies, HEADER_CODES, 7, header->lengths, header->codes);
    header->order_count = HEADER_CODES;
    while (header->order_count > 4 && !header->lengths[ORDER[header->order_count - 1]])
        header->order_count--;
}

static uint64_t bits_of_block(const Codes *codes, const Header *header)
{
    uint64_t bits = 17 + 3 * (uint64_t)header->order_count;
    for (int i = 0; i < HEADER_CODES; i++)
        bits += (uint64_t)header->frequencies[i] * (header->lengths[i] + repeat_extra(i));
    for (int i = 0; i < LITERAL_CODES; i++) {
        uint32_t extra = i > END_OF_BLOCK ? length_extra(i - END_OF_BLOCK - 1) : 0;
        bits += (uint64_t)codes->frequencies[i] * (codes->lengths[i] + extra);
    }
    for (int i = 0; i < DISTANCE_CODES; i++) {
        uint32_t length = codes->distance_lengths[i] + distance_extra((uint32_t)i);
        bits += (uint64_t)codes->distance_frequencies[i] * length;
    }
    return bits;
}

INLINE void put(Writer *writer, uint64_t bits, uint32_t count)
{
    writer->bits |= bits << writer->count;
    writer->count += count;
}

INLINE void put_entry(Writer *writer, uint32_t entry) { put(writer, entry & 0xFFFFFF, entry >> 24); }

INLINE void flush(Writer *writer)
{
    memcpy(writer->out, &writer->bits, 8);
    writer->out += writer->count >> 3;
    writer->bits >>= writer->count & ~7u;
    writer->count &= 7;
}

static void fill_byte(Writer *writer)
{
    writer->count = (writer->count + 7) & ~7u;
    flush(writer);
}

static void write_stored(Writer *writer, const uint8_t *from, int64_t size)
{
    do {
        uint32_t part = size > STORED_MAX ? STORED_MAX : (uint32_t)size;
        put(writer, 0, 3);
        fill_byte(writer);
        put(writer, part | (uint64_t)(part ^ 0xFFFF) << 16, 32);
        flush(writer);
        memcpy(writer->out, from, part);
        writer->out += part;
        from += part;
        size -= part;
    } while (size > 0);
}

static void write_header(Writer *writer, const Header *header)
{
    put(writer, 2 << 1, 3);
    put(writer, (uint64_t)header->literal_codes - END_OF_BLOCK - 1, 5);
    put(writer, (uint64_t)header->distance_codes - 1, 5);
    put(writer, (uint64_t)header->order_count - 4, 4);
    flush(writer);
    for (int i = 0; i < header->order_count; i++) {
        put(writer, header->lengths[ORDER[i]], 3);
        flush(writer);
    }
    for (int i = 0; i < header->count; i++) {
        put(writer, header->codes[header->symbols[i]], header->lengths[header->symbols[i]]);
        put(writer, header->extras[i], repeat_extra(header->symbols[i]));
        flush(writer);
    }
}

static void make_entries(Codes *codes)
{
    for (int i = 0; i < 256; i++)
        codes->literal_entries[i] = codes->codes[i] | (uint32_t)codes->lengths[i] << 24;
    for (int slot = 0; slot < LENGTH_SLOTS; slot++) {
        int symbol = END_OF_BLOCK + 1 + slot, base = LENGTH_BASES[slot];
        uint32_t bits = codes->lengths[symbol], total = bits + length_extra(slot);
        for (int length = base; length < LENGTH_BASES[slot + 1]; length++)
            codes->length_entries[length] = codes->codes[symbol] | (uint32_t)(length - base) << bits | total << 24;
    }
}

static void write_sequences(Writer *to, const Block *block, const Codes *codes)
{
    const uint8_t *literal = block->literals;
    const uint32_t *entries = codes->literal_entries;
    Writer writer = *to; /* a copy, which the compiler keeps in registers */
    for (uint32_t i = 0; i < block->sequence_count; i++) {
        Sequence sequence = block->sequences[i];
        for (; sequence.literals >= 4; sequence.literals -= 4, literal += 4) {
            for (int j = 0; j < 4; j++)
                put_entry(&writer, entries[literal[j]]);
            flush(&writer);
        }
        /* Masks, since a branch on a random number is mispredicted. */
        for (uint32_t j = 0; j < 3; j++)
            put_entry(&writer, entries[literal[j]] & -(uint32_t)(j < sequence.literals));
        literal += sequence.literals;
        flush(&writer);
        if (!sequence.length)
            break;
        uint32_t slot = distance_slot(sequence.distance), extra = distance_extra(slot);
        put_entry(&writer, codes->length_entries[sequence.length]);
        put(&writer, codes->distance_codes[slot], codes->distance_lengths[slot]);
        put(&writer, sequence.distance & ((1u << extra) - 1), extra);
        flush(&writer);
    }
    put(&writer, codes->codes[END_OF_BLOCK], codes->lengths[END_OF_BLOCK]);
    flush(&writer);
    *to = writer;
}

static void write_block(Writer *writer, const Block *block, Codes *codes, int64_t size)
{
    Header header;
    count_symbols(block, codes);
    huffman_code(codes->frequencies, LITERAL_CODES, LITERAL_DEPTH, codes->lengths, codes->codes);
    huffman_code(codes->distance_frequencies, DISTANCE_CODES, DISTANCE_DEPTH, codes->distance_lengths,
                 codes->distance_codes);
    describe(codes, &header);
    if (bits_of_block(codes, &header) / 8 >= (uint64_t)size + 5 * ((uint64_t)size / STORED_MAX + 1)) {
        write_stored(writer, block->start, size);
        return;
    }
    write_header(writer, &header);
    make_entries(codes);
    write_sequences(writer, block, codes);
}

/* What the block's codes teach about the next one. */
static uint32_t literal_cost(const Block *block, const Codes *codes)
{
    uint64_t bits = 0, count = block->literal_count;
    if (count < 64)
        return block->literal_cost;
    for (int i = 0; i < 256; i++)
        bits += (uint64_t)codes->frequencies[i] * codes->lengths[i];
    return (uint32_t)((4 * bits + count / 2) / count);
}

/* Bytes of memory that a stream needs, aligned as malloc aligns; zeros to begin with. */
int64_t gzip_stream_bytes(void)
{
    return (int64_t)sizeof(Stream);
}

/* The most that so many bytes can become. A block is at most 6 bytes more for each STORED_MAX that it begins, and longer
 * than 16,000 bytes, but for the last; around the blocks are 18 bytes, and 8 are written at a time. */
int64_t gzip_bound(int64_t size)
{
    return size + size / 1024 + 128;
}

/* Writes what stands before the first chunk, and gives its size. */
int64_t gzip_begin(uint8_t *out)
{
    static const uint8_t HEAD[10] = {0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255};
    memcpy(out, HEAD, sizeof HEAD);
    return sizeof HEAD;
}

/* Writes a chunk of at least a byte, and gives the size. The same chunks give the same bytes. */
int64_t gzip_chunk(void *memory, const uint8_t *in, int64_t size, uint8_t *out)
{
    Stream *stream = memory;
    Block *block = &stream->block;
    memset(block, 0, offsetof(Block, sequences));
    stream->writer.out = out;
    block->in = block->start = in;
    block->end = in + size;
    block->literal_cost = LITERAL_GUESS;
    while (block->start < block->end) {
        int64_t most = block->start == in ? FIRST_BLOCK : BLOCK_MAX;
        block->stop = block->end - block->start > most ? block->start + most : block->end;
        const uint8_t *next = matches_find(block);
        write_block(&stream->writer, block, &stream->codes, next - block->start);
        block->literal_cost = literal_cost(block, &stream->codes);
        block->start = next;
    }
    return stream->writer.out - out;
}

/* Writes what stands after the last chunk, and gives its size; `crc` and `size` are of all bytes that went in. */
int64_t gzip_end(void *memory, uint32_t crc, int64_t size, uint8_t *out)
{
    Writer *writer = &((Stream *)memory)->writer;
    writer->out = out;
    put(writer, 1 | 1 << 1, 10); /* a last block, of fixed codes, that ends at once */
    fill_byte(writer);
    put(writer, crc, 32);
    flush(writer);
    put(writer, (uint32_t)size, 32);
    flush(writer);
    return writer->out - out;
}
