/* Messages of a COPY, and their bytes joined in a buffer. */
#include "copyout.h"
#include "xxh3.h"

#include <poll.h>
#include <string.h>
#include <time.h>

/* How long the server is left alone to fill the socket's buffer once that is empty: a wake-up for every 8 KB that it
 * sends would cost both sides more than the bytes do. */
static const struct timespec PAUSE = {0, 200000};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t copyout_deadline(int timeout_ms)
{
    return now_ms() + timeout_ms;
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

int copyout_next(Copy *copy, int64_t deadline)
{
    while (copy->state == 0) {
        int got = copy->get_copy_data(copy->connection, &copy->row, 1);
        if (got > 0) {
            copy->row_size = got;
            copy->row_done = 0;
            copy->messages++;
            return 1;
        }
        if (got < 0) {
            copy->state = got;
            break;
        }
        /* Whether readable or not: bytes that TLS has decoded make no socket readable. */
        int in_time = wait_readable(copy->socket, deadline);
        if (!copy->consume_input(copy->connection))
            copy->state = COPY_FAILED;
        if (!in_time)
            break;
    }
    return 0;
}

void copyout_close(Copy *copy)
{
    if (copy->row)
        copy->free_row(copy->row);
    copy->row = NULL;
}

/* Copies rows to `out` until `room` bytes are there, the COPY has ended, or `timeout_ms` have passed.
 * Returns how many bytes were copied. */
int64_t copyout_fill(Copy *copy, char *out, int64_t room, int timeout_ms)
{
    int64_t filled = 0, deadline = copyout_deadline(timeout_ms);
    while (copy->row || copyout_next(copy, deadline)) {
        /* A row that finds no room is hashed by the next call. */
        if (copy->row_done == 0 && filled < room && copy->messages > copy->unhashed)
            copy->row_hash += xxh3(copy->row, (size_t)copy->row_size);
        int64_t size = copy->row_size - copy->row_done;
        if (size > room - filled)
            size = room - filled;
        memcpy(out + filled, copy->row + copy->row_done, (size_t)size);
        filled += size;
        copy->row_done += size;
        if (copy->row_done < copy->row_size)
            break;
        copyout_close(copy);
    }
    return filled;
}
