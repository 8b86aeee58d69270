/* The text of single values. What PostgreSQL prints: int8out, uuid_out, byteaout, numeric_out, and EncodeDateOnly,
 * EncodeTimeOnly and EncodeDateTime of src/backend/utils/adt, with the settings that an export's session has. */
#include "values.h"
#include "binary.h"

#include <string.h>

static const char HEX[] = "0123456789abcdef";
static const char PAIRS[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
                            "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
                            "9899";

static char *print_2(char *to, uint32_t value)
{
    memcpy(to, PAIRS + 2 * value, 2);
    return to + 2;
}

static char *print_word(char *to, const char *word)
{
    size_t size = strlen(word);
    memcpy(to, word, size);
    return to + size;
}

static char *print_unsigned(char *to, uint64_t value)
{
    char digits[20];
    char *begin = digits + sizeof digits;
    for (; value >= 100; value /= 100) {
        begin -= 2;
        memcpy(begin, PAIRS + 2 * (value % 100), 2);
    }
    if (value >= 10) {
        begin -= 2;
        memcpy(begin, PAIRS + 2 * value, 2);
    } else {
        *--begin = (char)('0' + value);
    }
    size_t size = (size_t)(digits + sizeof digits - begin);
    memcpy(to, begin, size);
    return to + size;
}

char *print_int(char *to, int64_t value)
{
    if (value < 0)
        *to++ = '-';
    return print_unsigned(to, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

char *print_bytea(char *to, const uint8_t *from, int64_t size)
{
    *to++ = '\\';
    *to++ = 'x';
    for (int64_t i = 0; i < size; i++) {
        *to++ = HEX[from[i] >> 4];
        *to++ = HEX[from[i] & 15];
    }
    return to;
}

char *print_uuid(char *to, const uint8_t *from)
{
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = HEX[from[i] >> 4];
        *to++ = HEX[from[i] & 15];
    }
    return to;
}

/* The proleptic Gregorian day, without BC: http://howardhinnant.github.io/date_algorithms.html#civil_from_days. */
static void find_day(int64_t day, Day *found)
{
    int64_t shifted = day + DAYS_TO_2000 + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    uint32_t of_era = (uint32_t)(shifted - era * 146097);
    uint32_t of_year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_march = of_era - (365 * of_year + of_year / 4 - of_year / 100);
    uint32_t shifted_month = (5 * of_march + 2) / 153, month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    int64_t year = (int64_t)of_year + era * 400 + (month <= 2);
    char *to = found->text;
    found->day = day;
    found->is_bc = year <= 0;
    uint64_t shown = (uint64_t)(year > 0 ? year : 1 - year);
    for (uint64_t least = 1000; shown < least && least > 1; least /= 10)
        *to++ = '0';
    to = print_unsigned(to, shown);
    *to++ = '-';
    to = print_2(to, month);
    *to++ = '-';
    to = print_2(to, of_march - (153 * shifted_month + 2) / 5 + 1);
    found->size = (int32_t)(to - found->text);
}

static char *print_day(char *to, int64_t day, Day *last)
{
    if (last->size == 0 || last->day != day)
        find_day(day, last);
    memcpy(to, last->text, sizeof last->text);
    return to + last->size;
}

char *print_date(char *to, int32_t days, Day *last)
{
    if (days == INT32_MAX || days == INT32_MIN)
        return print_word(to, days > 0 ? "infinity" : "-infinity");
    to = print_day(to, days, last);
    return last->is_bc ? print_word(to, " BC") : to;
}

char *print_time(char *to, int64_t microseconds)
{
    uint32_t seconds = (uint32_t)(microseconds / 1000000), fraction = (uint32_t)(microseconds % 1000000);
    to = print_2(to, seconds / 3600);
    *to++ = ':';
    to = print_2(to, seconds / 60 % 60);
    *to++ = ':';
    to = print_2(to, seconds % 60);
    if (fraction == 0)
        return to;
    *to++ = '.';
    to = print_2(to, fraction / 10000);
    to = print_2(to, fraction / 100 % 100);
    to = print_2(to, fraction % 100);
    while (to[-1] == '0')
        to--;
    return to;
}

char *print_timestamp(char *to, int64_t microseconds, int has_zone, Day *last)
{
    if (microseconds == INT64_MAX || microseconds == INT64_MIN)
        return print_word(to, microseconds > 0 ? "infinity" : "-infinity");
    int64_t day = microseconds / MICROSECONDS_A_DAY, of_day = microseconds % MICROSECONDS_A_DAY;
    if (of_day < 0) {
        of_day += MICROSECONDS_A_DAY;
        day--;
    }
    to = print_day(to, day, last);
    *to++ = ' ';
    to = print_time(to, of_day);
    if (has_zone)
        to = print_word(to, "+00");
    return last->is_bc ? print_word(to, " BC") : to;
}

enum { NUMERIC_POSITIVE = 0, NUMERIC_NEGATIVE = 0x4000, NUMERIC_NAN = 0xC000, NUMERIC_INFINITY = 0xD000 };
enum { NUMERIC_MINUS_INFINITY = 0xF000 };

int64_t numeric_bound(const uint8_t *from, int64_t size)
{
    if (size < 8 || size != 8 + 2 * (int64_t)get16(from))
        return -1;
    for (int i = 0; i < get16(from); i++)
        if (get16(from + 8 + 2 * i) > 9999)
            return -1;
    int weight = (int16_t)get16(from + 2), sign = get16(from + 4), scale = get16(from + 6);
    if (scale > 0x3FFF)
        return -1;
    if (sign != NUMERIC_POSITIVE && sign != NUMERIC_NEGATIVE)
        return sign == NUMERIC_NAN || sign == NUMERIC_INFINITY || sign == NUMERIC_MINUS_INFINITY ? 16 : -1;
    return 16 + (weight >= 0 ? 4 * ((int64_t)weight + 1) : 0) + scale;
}

/* A sum of digits * 10000 ** place for places from `weight` down, with `scale` digits behind the point. */
char *print_numeric(char *to, const uint8_t *from)
{
    int count = get16(from), weight = (int16_t)get16(from + 2), sign = get16(from + 4), scale = get16(from + 6);
    if (sign == NUMERIC_NAN)
        return print_word(to, "NaN");
    if (sign == NUMERIC_INFINITY || sign == NUMERIC_MINUS_INFINITY)
        return print_word(to, sign == NUMERIC_INFINITY ? "Infinity" : "-Infinity");
    if (sign == NUMERIC_NEGATIVE)
        *to++ = '-';
    if (weight < 0)
        *to++ = '0';
    for (int i = 0; i <= weight; i++) {
        uint32_t digit = i < count ? get16(from + 8 + 2 * i) : 0;
        to = i ? print_2(print_2(to, digit / 100), digit % 100) : print_unsigned(to, digit);
    }
    if (scale == 0)
        return to;
    *to++ = '.';
    char *end = to + scale; /* the last digit of 10000 may reach three characters beyond */
    for (int i = weight + 1; to < end; i++) {
        uint32_t digit = i >= 0 && i < count ? get16(from + 8 + 2 * i) : 0;
        to = print_2(print_2(to, digit / 100), digit % 100);
    }
    return end;
}
