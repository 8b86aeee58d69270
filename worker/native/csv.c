/* Prints the rows of a COPY … (FORMAT binary) as the CSV that PostgreSQL itself would send: CopyAttributeOutCSV of
 * src/backend/commands/copyto.c. Nothing of a message is believed before its size was checked. */
#include "binary.h"
#include "copyout.h"
#include "values.h"
#include "xxh3.h"

#include <stdlib.h>
#include <string.h>

/* As in worker/native/printer.py. */
enum Kind { TEXT, JSONB, BOOL, INT2, INT4, INT8, NUMERIC, UUID, BYTEA, DATE, TIME, TIMESTAMP, TIMESTAMPTZ };
enum Trouble { NONE, MALFORMED, NO_MEMORY };

static const int32_t WIDTHS[] = {-1, -1, 1, 2, 4, 8, -1, 16, -1, 4, 8, 8, 8}; /* of each kind; -1: any */

typedef struct {
    Copy *copy;
    const int32_t *kinds;
    int32_t count;
    int32_t may_quote; /* values other than texts may need quotes, as the delimiter or the text of NULL can be in them */
    const char *null;
    int32_t null_size;
    char delimiter;
    int32_t is_begun; /* the header is read */
    int32_t is_ended; /* the trailer is read */
    int32_t trouble;  /* what is wrong, if not NONE */
    char *line;       /* the last row as CSV */
    int64_t room, size, done;
    int64_t rows; /* so far */
    Day last;
} Printer;

typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint64_t Words __attribute__((vector_size(16)));

static const uint8_t FIRST[32] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

static Bytes all_of(char value)
{
    uint8_t each = (uint8_t)value;
    return (Bytes){each, each, each, each, each, each, each, each, each, each, each, each, each, each, each, each};
}

/* Copies a text, and says whether it has a character that asks for quotes. There are 16 bytes of room behind `to` and
 * what is to be copied; `end` is that of the row, behind which nothing may be read. */
static int copy_text(char *to, const uint8_t *from, int64_t size, const uint8_t *end, char delimiter)
{
    Bytes delimiters = all_of(delimiter), quotes = all_of('"'), feeds = all_of('\n'), returns = all_of('\r');
    Bytes found = {0};
    for (int64_t at = 0; at < size; at += 16) {
        Bytes some = {0};
        if (end - from - at >= 16)
            memcpy(&some, from + at, 16);
        else
            memcpy(&some, from + at, (size_t)(end - from - at));
        memcpy(to + at, &some, 16);
        Bytes special = (Bytes)((some == delimiters) | (some == quotes) | (some == feeds) | (some == returns));
        if (size - at < 16) {
            Bytes mask;
            memcpy(&mask, FIRST + 16 - (size - at), 16);
            special &= mask;
        }
        found |= special;
    }
    Words words = (Words)found;
    return (words[0] | words[1]) != 0;
}

static char *quote(char *to, const uint8_t *from, int64_t size)
{
    *to++ = '"';
    for (int64_t i = 0; i < size; i++) {
        char each = (char)from[i];
        to[0] = to[1] = each;
        to += 1 + (each == '"');
    }
    *to++ = '"';
    return to;
}

static int is_null_text(const Printer *printer, const void *from, int64_t size)
{
    return size == printer->null_size && memcmp(from, printer->null, (size_t)size) == 0;
}

static char *print_text(const Printer *printer, char *to, const uint8_t *from, int64_t size, const uint8_t *end)
{
    int is_quoted = copy_text(to, from, size, end, printer->delimiter) || is_null_text(printer, from, size)
                    /* `\.` alone in a line once ended the rows. */
                    || (printer->count == 1 && size == 2 && memcmp(from, "\\.", 2) == 0);
    return is_quoted ? quote(to, from, size) : to + size;
}

/* A value that is no text; it has its kind's width. Returns NULL if it is malformed. */
static char *print_value(Printer *printer, char *to, enum Kind kind, const uint8_t *from, int64_t size)
{
    switch (kind) {
    case BOOL:
        *to = *from ? 't' : 'f';
        return to + 1;
    case INT2:
        return print_int(to, (int16_t)get16(from));
    case INT4:
        return print_int(to, (int32_t)get32(from));
    case INT8:
        return print_int(to, (int64_t)get64(from));
    case NUMERIC:
        return print_numeric(to, from);
    case UUID:
        return print_uuid(to, from);
    case BYTEA:
        return print_bytea(to, from, size);
    case DATE:
        return print_date(to, (int32_t)get32(from), &printer->last);
    case TIME: /* 24:00 is one */
        return get64(from) <= (uint64_t)MICROSECONDS_A_DAY ? print_time(to, (int64_t)get64(from)) : NULL;
    default:
        return print_timestamp(to, (int64_t)get64(from), kind == TIMESTAMPTZ, &printer->last);
    }
}

/* Makes room for so many bytes more behind `to`; returns where `to` is then, or NULL. */
static char *reserve(Printer *printer, char *to, int64_t more)
{
    int64_t used = to - printer->line;
    if (printer->room - used >= more)
        return to;
    int64_t room = used + more + (used + more < 1 << 20 ? used + more : 0);
    char *line = realloc(printer->line, (size_t)room);
    if (!line)
        return NULL;
    printer->line = line;
    printer->room = room;
    return line + used;
}

enum { VALUE = 64 }; /* no value of a fixed width has a longer text, quotes and what is written behind it included */

static char *refuse(Printer *printer, enum Trouble trouble)
{
    printer->trouble = trouble;
    return NULL;
}

/* One field behind `to`; NULL if something is wrong. */
static char *print_field(Printer *printer, char *to, enum Kind kind, const uint8_t *from, int64_t size,
                         const uint8_t *end)
{
    int64_t bound = kind == NUMERIC ? numeric_bound(from, size) : 2 * size;
    if (bound < 0 || (WIDTHS[kind] >= 0 && size != WIDTHS[kind]))
        return refuse(printer, MALFORMED);
    if (!(to = reserve(printer, to, bound + VALUE + (printer->may_quote ? 2 * bound + VALUE : 0))))
        return refuse(printer, NO_MEMORY);
    if (kind == TEXT)
        return print_text(printer, to, from, size, end);
    if (kind == JSONB) /* a version, and the text */
        return size > 0 && *from == 1 ? print_text(printer, to, from + 1, size - 1, end) : refuse(printer, MALFORMED);
    char *value = printer->may_quote ? to + bound + VALUE : to, *stop = print_value(printer, value, kind, from, size);
    if (!stop)
        return refuse(printer, MALFORMED);
    if (!printer->may_quote)
        return stop;
    return print_text(printer, to, (const uint8_t *)value, stop - value, (const uint8_t *)stop);
}

static int print_row(Printer *printer, const uint8_t *from, const uint8_t *end)
{
    char *to = printer->line;
    for (int i = 0; i < printer->count; i++) {
        if (end - from < 4)
            return MALFORMED;
        int32_t size = (int32_t)get32(from);
        from += 4;
        if (size < -1 || size > end - from)
            return MALFORMED;
        if (size >= 0) {
            to = print_field(printer, to, (enum Kind)printer->kinds[i], from, size, end);
            from += size;
        } else if ((to = reserve(printer, to, printer->null_size + VALUE))) {
            memcpy(to, printer->null, (size_t)printer->null_size);
            to += printer->null_size;
        }
        if (!to)
            return printer->trouble ? printer->trouble : NO_MEMORY;
        *to++ = i + 1 < printer->count ? printer->delimiter : '\n';
    }
    printer->size = to - printer->line;
    printer->done = 0;
    return from == end ? NONE : MALFORMED;
}

/* The row, or the trailer, that a message holds: exactly one. */
static int take_message(Printer *printer, const uint8_t *from, const uint8_t *end)
{
    enum Message message = open_message(&printer->is_begun, &printer->is_ended, printer->count, &from, end);
    if (message != ROW)
        return message == NO_ROW ? NONE : MALFORMED;
    int trouble = print_row(printer, from, end);
    if (trouble)
        return trouble;
    printer->rows++;
    printer->copy->row_hash += xxh3(printer->line, (size_t)printer->size);
    return NONE;
}

/* Writes rows to `out` until `room` bytes are there, the COPY has ended, something is wrong, or `timeout_ms` have
 * passed. Returns how many bytes were written. */
int64_t csv_fill(Printer *printer, char *out, int64_t room, int timeout_ms)
{
    Copy *copy = printer->copy;
    int64_t filled = 0, deadline = copyout_deadline(timeout_ms);
    for (;;) {
        int64_t size = printer->size - printer->done;
        if (size > room - filled)
            size = room - filled;
        if (size > 0)
            memcpy(out + filled, printer->line + printer->done, (size_t)size);
        filled += size;
        printer->done += size;
        if (printer->done < printer->size || !copyout_next(copy, deadline))
            return filled;
        const uint8_t *row = (const uint8_t *)copy->row;
        printer->trouble = take_message(printer, row, row + copy->row_size);
        copyout_close(copy);
        if (printer->trouble)
            return filled;
    }
}

void csv_close(Printer *printer)
{
    free(printer->line);
    printer->line = NULL;
}
