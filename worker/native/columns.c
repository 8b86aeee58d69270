/* Takes the rows of a COPY … (FORMAT binary) apart into columns, laid out in memory as Arrow wants them.
 *
 * PostgreSQL's form of the rows and of each type: its manual's "COPY", section "Binary Format", and the types' send
 * functions in src/backend/utils/adt. Nothing of a message is believed before its size was checked.
 */
#define _GNU_SOURCE /* mremap */
#include "binary.h"
#include "copyout.h"
#include "xxh3.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "columns are written for little-endian machines only"
#endif

/* As in worker/native/row_groups.py. */
enum Kind { BOOL, INT16, INT32, INT64, DATE, TIME, TIMESTAMP, UUID, BYTES, JSONB, DECIMAL, LIST };
enum Trouble { NONE, MALFORMED, NOT_FINITE, OUT_OF_RANGE, DIMENSIONS, NO_MEMORY };

typedef struct Column {
    int32_t kind;
    int32_t width;            /* bytes of one of `values`, where they are all of one size; else 0 */
    int32_t precision, scale; /* of a DECIMAL */
    int64_t length, nulls;    /* values so far, and how many of them are NULL */
    int64_t room;             /* for so many values */
    uint8_t *validity;        /* a bit for each value: 0 is NULL; unset as long as there are no `nulls` */
    uint8_t *values;          /* a bit for each BOOL; the bytes of all BYTES and JSONB end to end */
    int32_t *offsets;         /* where each of BYTES, JSONB and LIST begins in `values` or in the child, and the end */
    int64_t bytes_room;       /* for so many bytes in the `values` of BYTES and JSONB */
    struct Column *child;     /* the elements of a LIST */
} Column;

typedef struct {
    Copy *copy;
    Column *columns;
    int32_t count;
    int32_t is_begun;   /* the header is read */
    int32_t is_ended;   /* the trailer is read */
    int32_t trouble;    /* what is wrong, if not NONE */
    int32_t column;     /* where, or -1 if it is the row as a whole */
    int64_t rows;       /* so far */
    int64_t bytes;      /* of rows, in the columns as they are now */
} Table;

static const int64_t MICROSECONDS_TO_2000 = DAYS_TO_2000 * MICROSECONDS_A_DAY;

static int is_bytes(const Column *column) { return column->kind == BYTES || column->kind == JSONB; }

static int has_offsets(const Column *column) { return is_bytes(column) || column->kind == LIST; }

static void set_bit(uint8_t *bits, int64_t at) { bits[at >> 3] |= (uint8_t)(1 << (at & 7)); }

/* Gives a column's array another size, in bytes; NULL if there is no memory for it, and the old one is still there.
 *
 * On Linux each is a mapping of its own, which grows without a copy and takes the pages that are written to. Out of the
 * heap of each thread that reads, they would leave holes of 8 MB. The sanitizers' heap finds what is written beyond one. */
static void *resized(void *memory, size_t before, size_t after)
{
#if defined(__linux__) && !defined(SANITIZED)
    void *found = memory ? mremap(memory, before, after, MREMAP_MAYMOVE)
                         : mmap(NULL, after, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return found == MAP_FAILED ? NULL : found;
#else
    (void)before;
    return realloc(memory, after);
#endif
}

static void release(void *memory, size_t size)
{
#if defined(__linux__) && !defined(SANITIZED)
    if (memory)
        munmap(memory, size);
#else
    (void)size;
    free(memory);
#endif
}

/* Bytes of a column's arrays if it has room for so many values. */
static size_t bits_size(int64_t room) { return (size_t)room / 8; }

static size_t offsets_size(int64_t room) { return (size_t)(room + 1) * sizeof(int32_t); }

static size_t values_size(const Column *column, int64_t room)
{
    if (is_bytes(column))
        return (size_t)column->bytes_room;
    return column->kind == BOOL ? bits_size(room) : (size_t)(room * column->width);
}

/* Makes room for twice as many values. Apart, as its like below: the loop over the fields is faster by a sixth. */
static __attribute__((noinline)) int grow_column(Column *column)
{
    int64_t before = column->room, room = before ? 2 * before : 1024;
    uint8_t *validity = resized(column->validity, bits_size(before), bits_size(room));
    if (!validity)
        return NO_MEMORY;
    column->validity = validity;
    if (column->nulls)
        memset(column->validity + bits_size(before), 0, bits_size(room) - bits_size(before));
    if (!is_bytes(column) && column->kind != LIST) {
        uint8_t *values = resized(column->values, values_size(column, before), values_size(column, room));
        if (!values)
            return NO_MEMORY;
        column->values = values;
    }
    if (column->kind == BOOL)
        memset(column->values + bits_size(before), 0, bits_size(room) - bits_size(before));
    if (has_offsets(column)) {
        int32_t *offsets = resized(column->offsets, offsets_size(before), offsets_size(room));
        if (!offsets)
            return NO_MEMORY;
        column->offsets = offsets;
        column->offsets[0] = 0;
    }
    column->room = room;
    return NONE;
}

/* Says of the values so far that none is NULL: most columns have none, and Arrow needs no bits for them. */
static void begin_validity(Column *column)
{
    size_t whole = (size_t)column->length / 8;
    memset(column->validity, 0xff, whole);
    memset(column->validity + whole, 0, bits_size(column->room) - whole);
    if (column->length % 8)
        column->validity[whole] = (uint8_t)((1 << column->length % 8) - 1);
}

static int append_null(Column *column)
{
    if (!column->nulls)
        begin_validity(column);
    if (column->width)
        memset(column->values + column->length * column->width, 0, (size_t)column->width);
    if (has_offsets(column))
        column->offsets[column->length + 1] = column->offsets[column->length];
    column->length++;
    column->nulls++;
    return NONE;
}

static __attribute__((noinline)) int grow_bytes(Column *column, int64_t end)
{
    int64_t room = end + end / 2 + 4096;
    uint8_t *values = resized(column->values, (size_t)column->bytes_room, (size_t)room);
    if (!values)
        return NO_MEMORY;
    column->values = values;
    column->bytes_room = room;
    return NONE;
}

static inline int append_bytes(Column *column, const uint8_t *from, int64_t size)
{
    int64_t begin = column->offsets[column->length], end = begin + size;
    if (end > INT32_MAX)
        return OUT_OF_RANGE;
    if (end >= column->bytes_room && grow_bytes(column, end))
        return NO_MEMORY;
    memcpy(column->values + begin, from, (size_t)size);
    column->offsets[column->length + 1] = (int32_t)end;
    return NONE;
}

/* A whole number in 32-bit digits, the lowest first: digits * factor + more. */
static void multiply_add(uint32_t *digits, int count, uint32_t factor, uint32_t more)
{
    uint64_t carry = more;
    for (int i = 0; i < count; i++) {
        carry += (uint64_t)digits[i] * factor;
        digits[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static const uint32_t POWERS_OF_TEN[] = {1, 10, 100, 1000, 10000};

/* How many decimal digits one of numeric's digits, 0 to 9999, has. */
static int decimal_digits(int digit) { return digit >= 1000 ? 4 : digit >= 100 ? 3 : digit >= 10 ? 2 : digit >= 1; }

/* A numeric, a sum of digits * 10000 ** place for places from `weight` down, as value * 10 ** scale. */
static int append_decimal(Column *column, const uint8_t *from, int64_t size)
{
    enum { POSITIVE = 0, NEGATIVE = 0x4000 };
    if (size < 8 || size != 8 + 2 * (int64_t)get16(from))
        return MALFORMED;
    int count = get16(from), weight = (int16_t)get16(from + 2), sign = get16(from + 4);
    if (sign != POSITIVE && sign != NEGATIVE)
        return NOT_FINITE;
    if (count && weight * 4 + decimal_digits(get16(from + 8)) > column->precision - column->scale)
        return OUT_OF_RANGE;
    uint32_t sum[8] = {0};
    int used = column->precision <= 18 ? 2 : column->precision <= 38 ? 4 : 8;
    int shift = weight * 4 + column->scale; /* the power of ten that the digit at hand is multiplied by */
    for (int i = 0; i < count; i++, shift -= 4) {
        uint32_t digit = get16(from + 8 + 2 * i);
        if (digit > 9999)
            return MALFORMED;
        if (shift >= 0) {
            multiply_add(sum, used, 10000, digit);
        } else {
            uint32_t cut = POWERS_OF_TEN[shift > -4 ? -shift : 4];
            if (digit % cut)
                return OUT_OF_RANGE;
            if (shift > -4)
                multiply_add(sum, used, POWERS_OF_TEN[4 + shift], digit / cut);
        }
    }
    /* `shift` is one digit past the last: what was added last stands at shift + 4. */
    for (shift += 4; count && shift > 0; shift -= 4)
        multiply_add(sum, used, POWERS_OF_TEN[shift < 4 ? shift : 4], 0);
    uint32_t *out = (uint32_t *)(void *)(column->values + column->length * column->width), carry = 1;
    uint32_t flip = sign == NEGATIVE ? UINT32_MAX : 0;
    for (int i = 0; i < column->width / 4; i++) {
        uint32_t digit = (i < 8 ? sum[i] : 0) ^ flip;
        if (flip) {
            digit += carry;
            carry = carry && digit == 0;
        }
        out[i] = digit;
    }
    return NONE;
}

static int append_time(Column *column, int64_t value, int64_t least, int64_t end, int64_t epoch)
{
    if (value == INT64_MAX || value == INT64_MIN)
        return NOT_FINITE;
    if (value < least || value >= end)
        return OUT_OF_RANGE;
    value += epoch;
    memcpy(column->values + column->length * 8, &value, 8);
    return NONE;
}

static int append_date(Column *column, int32_t value)
{
    if (value == INT32_MAX || value == INT32_MIN)
        return NOT_FINITE;
    if (value > INT32_MAX - DAYS_TO_2000)
        return OUT_OF_RANGE;
    value += (int32_t)DAYS_TO_2000;
    memcpy(column->values + column->length * 4, &value, 4);
    return NONE;
}

static int append(Column *column, const uint8_t *from, int64_t size);

/* One field or element: its size, -1 for NULL, and its bytes; leaves `*from` behind them. */
static int append_sized(Column *column, const uint8_t **from, const uint8_t *end)
{
    if (end - *from < 4)
        return MALFORMED;
    int32_t size = (int32_t)get32(*from);
    *from += 4;
    if (size < -1 || size > end - *from)
        return MALFORMED;
    if (column->length == column->room) {
        int trouble = grow_column(column);
        if (trouble)
            return trouble;
    }
    if (size < 0)
        return append_null(column);
    /* Most fields are texts, for which the call costs as much as the copy. */
    int trouble = column->kind == BYTES ? append_bytes(column, *from, size) : append(column, *from, size);
    if (trouble)
        return trouble;
    if (column->nulls)
        set_bit(column->validity, column->length);
    column->length++;
    *from += size;
    return NONE;
}

static int append_list(Column *column, const uint8_t *from, int64_t size)
{
    const uint8_t *end = from + size;
    if (size < 12)
        return MALFORMED;
    uint32_t dimensions = get32(from), elements = 0;
    from += 12;
    if (dimensions > 1)
        return DIMENSIONS;
    if (dimensions == 1) {
        if (size < 20)
            return MALFORMED;
        elements = get32(from);
        from += 8;
    }
    if (column->child->length + (int64_t)elements > INT32_MAX)
        return OUT_OF_RANGE;
    for (uint32_t i = 0; i < elements; i++) {
        int trouble = append_sized(column->child, &from, end);
        if (trouble)
            return trouble;
    }
    column->offsets[column->length + 1] = (int32_t)column->child->length;
    return from == end ? NONE : MALFORMED;
}

/* Adds a value where there is room for one. */
static int append(Column *column, const uint8_t *from, int64_t size)
{
    if (column->width && column->kind != DECIMAL && size != column->width)
        return MALFORMED;
    uint8_t *to = column->width ? column->values + column->length * column->width : NULL;
    switch (column->kind) {
    case BOOL:
        if (size != 1)
            return MALFORMED;
        if (*from)
            set_bit(column->values, column->length);
        return NONE;
    case INT16: {
        uint16_t value = get16(from);
        memcpy(to, &value, sizeof value);
        return NONE;
    }
    case INT32: {
        uint32_t value = get32(from);
        memcpy(to, &value, sizeof value);
        return NONE;
    }
    case INT64: {
        uint64_t value = get64(from);
        memcpy(to, &value, sizeof value);
        return NONE;
    }
    case UUID:
        memcpy(to, from, 16);
        return NONE;
    case DATE:
        return append_date(column, (int32_t)get32(from));
    case TIME: /* 24:00 is one in PostgreSQL, and none elsewhere */
        return append_time(column, (int64_t)get64(from), 0, MICROSECONDS_A_DAY, 0);
    case TIMESTAMP:
        return append_time(column, (int64_t)get64(from), INT64_MIN, INT64_MAX - MICROSECONDS_TO_2000,
                           MICROSECONDS_TO_2000);
    case BYTES:
        return append_bytes(column, from, size);
    case JSONB: /* a version, and the text */
        return size < 1 || *from != 1 ? MALFORMED : append_bytes(column, from + 1, size - 1);
    case DECIMAL:
        return append_decimal(column, from, size);
    case LIST:
        return append_list(column, from, size);
    }
    return MALFORMED;
}

/* The row, or the trailer, that a message holds: exactly one. */
static int take_message(Table *table, const uint8_t *from, const uint8_t *end)
{
    table->column = -1;
    enum Message message = open_message(&table->is_begun, &table->is_ended, table->count, &from, end);
    if (message != ROW)
        return message == NO_ROW ? NONE : MALFORMED;
    table->copy->row_hash += xxh3(from - FIELD_COUNT, (size_t)(end - from + FIELD_COUNT));
    table->bytes += end - from;
    for (int i = 0; i < table->count; i++) {
        int trouble = append_sized(&table->columns[i], &from, end);
        if (trouble) {
            table->column = i;
            return trouble;
        }
    }
    table->rows++;
    return from == end ? NONE : MALFORMED;
}

/* Takes rows until there are `limit` bytes of them, the COPY has ended, something is wrong, or `timeout_ms` have
 * passed. */
void columns_fill(Table *table, int64_t limit, int timeout_ms)
{
    Copy *copy = table->copy;
    int64_t deadline = copyout_deadline(timeout_ms);
    while (table->bytes < limit && copyout_next(copy, deadline)) {
        const uint8_t *row = (const uint8_t *)copy->row;
        table->trouble = take_message(table, row, row + copy->row_size);
        copyout_close(copy);
        if (table->trouble)
            return;
    }
}

/* Takes all values out. Up to `keep` bytes of what they lay in are kept for those to come, and the rest is freed. Gives
 * what is left of `keep`. */
int64_t columns_empty(Column *columns, int32_t count, int64_t keep)
{
    for (int32_t i = 0; i < count; i++) {
        Column *column = &columns[i];
        if (column->child)
            keep = columns_empty(column->child, 1, keep);
        int64_t size = column->room * (column->width + 4) + column->bytes_room;
        size_t bits = bits_size(column->room);
        column->length = column->nulls = 0;
        if (bits && size <= keep) {
            keep -= size;
            if (column->kind == BOOL)
                memset(column->values, 0, bits);
            continue;
        }
        release(column->validity, bits_size(column->room));
        release(column->values, values_size(column, column->room));
        release(column->offsets, offsets_size(column->room));
        column->validity = column->values = NULL;
        column->offsets = NULL;
        column->room = column->bytes_room = 0;
    }
    return keep;
}
