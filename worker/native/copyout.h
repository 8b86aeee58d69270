/* One COPY … TO STDOUT that is being read; worker/native/rows.py has the same structure.
 *
 * libpq gives one message for each row. Taking it through Python costs several objects a row and holds the GIL;
 * a loop in C costs a call of libpq, and ctypes releases the GIL around it, so that parts of an export run side by
 * side in threads. It is linked with nothing but the C library: libpq is the one that psycopg has loaded, whose
 * functions are handed over.
 */
#ifndef COPYOUT_H
#define COPYOUT_H

#include <stdint.h>

enum { COPY_ENDED = -1, COPY_FAILED = -2 }; /* as PQgetCopyData says it */

typedef struct {
    void *connection;
    int (*get_copy_data)(void *connection, char **row, int async);
    int (*consume_input)(void *connection);
    void (*free_row)(void *row);
    int socket;
    int state;        /* 0, or COPY_ENDED or COPY_FAILED once there are no more messages */
    char *row;        /* the message that is not wholly taken yet, or NULL */
    int64_t row_size; /* bytes of it */
    int64_t row_done; /* bytes of it that are taken */
    int64_t messages; /* so far, a header's included */
    int64_t unhashed; /* messages that precede the rows: a header */
    uint64_t row_hash; /* of the rows so far: rowhash.c says how */
} Copy;

/* A point in time that is so many milliseconds away, for copyout_next. */
int64_t copyout_deadline(int timeout_ms);

/* Waits for the next message, which is then copy->row; 0 where the COPY has ended, or the time is over. */
int copyout_next(Copy *copy, int64_t deadline);

/* Frees the message that was taken, so that the next one can come. */
void copyout_close(Copy *copy);

#endif
