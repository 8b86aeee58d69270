/* Joins the rows of a COPY … TO STDOUT in a buffer; loaded by worker/native.py, which says when Python reads instead.
 *
 * libpq gives one message for each row. Taking it through Python costs several objects a row and holds the GIL;
 * this loop costs a call of libpq and a memcpy, and ctypes releases the GIL around it, so that parts of an export
 * run side by side in threads. It is linked with nothing but the C library: libpq is the one that psycopg has loaded,
 * whose functions are handed over.
 */
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

enum { ENDED = -1, FAILED = -2 }; /* as PQgetCopyData says it */

typedef struct {
    void *connection;
    int (*get_copy_data)(void *connection, char **row, int async);
    int (*consume_input)(void *connection);
    void (*free_row)(void *row);
    int socket;
    int state;        /* 0, or ENDED or FAILED once there are no more rows */
    char *row;        /* the row that is not wholly copied yet, or NULL */
    int64_t row_size; /* bytes of it */
    int64_t row_done; /* bytes of it that are copied */
    int64_t messages; /* so far, the header's included */
} Copy;

/* How long the server is left alone to fill the socket's buffer once that is empty: a wake-up for every 8 KB that it
 * sends would cost both sides more than the bytes do. */
static const struct timespec PAUSE = {0, 200000};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whether there may be something to read now; waits until the deadline at most. */
static int wait_readable(int socket, int64_t deadline)
{
    struct pollfd polled = {socket, POLLIN, 0};
    if (poll(&polled, 1, 0) > 0)
        return 1;
    nanosleep(&PAUSE, NULL);
    int64_t left = deadline - now_ms();
    return left > 0 && poll(&polled, 1, (int)left) > 0;
}

/* Copies rows to `out` until `room` bytes are there, the COPY has ended, or `timeout_ms` have passed.
 * Returns how many bytes were copied. */
int64_t copyout_fill(Copy *copy, char *out, int64_t room, int timeout_ms)
{
    int64_t filled = 0, deadline = now_ms() + timeout_ms;
    while (copy->state == 0) {
        if (copy->row) {
            int64_t size = copy->row_size - copy->row_done;
            if (size > room - filled)
                size = room - filled;
            memcpy(out + filled, copy->row + copy->row_done, (size_t)size);
            filled += size;
            copy->row_done += size;
            if (copy->row_done < copy->row_size)
                return filled;
            copy->free_row(copy->row);
            copy->row = NULL;
        }
        int got = copy->get_copy_data(copy->connection, &copy->row, 1);
        if (got > 0) {
            copy->row_size = got;
            copy->row_done = 0;
            copy->messages++;
        } else if (got < 0) {
            copy->state = got;
        } else {
            /* Whether readable or not: bytes that TLS has decoded make no socket readable. */
            int in_time = wait_readable(copy->socket, deadline);
            if (!copy->consume_input(copy->connection))
                copy->state = FAILED;
            if (!in_time)
                return filled;
        }
    }
    return filled;
}

/* Frees what an unfinished COPY holds. */
void copyout_close(Copy *copy)
{
    if (copy->row)
        copy->free_row(copy->row);
    copy->row = NULL;
}
