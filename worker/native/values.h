/* PostgreSQL's text of values out of their binary form, for a session with UTC, ISO dates and hexadecimal bytea. */
#ifndef VALUES_H
#define VALUES_H

#include <stdint.h>

/* Days since 2000, as text, and how long that is; a row's days are mostly those of the row before. */
typedef struct {
    int64_t day;
    int32_t size; /* 0: none yet */
    int32_t is_bc;
    char text[16];
} Day;

/* Each writes to `to` and returns the end of what it wrote. */
char *print_int(char *to, int64_t value);
char *print_uuid(char *to, const uint8_t *from);
char *print_bytea(char *to, const uint8_t *from, int64_t size);
char *print_date(char *to, int32_t days, Day *last);
char *print_time(char *to, int64_t microseconds);
char *print_timestamp(char *to, int64_t microseconds, int has_zone, Day *last);

/* Bytes of a numeric's text at most, and -1 if it is none. */
int64_t numeric_bound(const uint8_t *from, int64_t size);
char *print_numeric(char *to, const uint8_t *from);

#endif
