"""The one place where buffers are sized, with the reasons.

One export holds a block for each stream, STAGERS more that are being staged, and a few CHUNK_BYTES for each stream:
about 4 MiB * (streams + STAGERS) + 3 MiB * streams; plus its largest row a few times over. If storage is far, it holds
IN_FLIGHT_BYTES at most instead of STAGERS blocks.
"""

# What is compressed at a time. Python's cost per chunk vanishes above 256 KiB; the last of the CPU's caches
# holds 1 MiB.
CHUNK_BYTES = 1 << 20

# One Put Block: below 4 MiB Azure is slower for each byte. Blocks double in size after each so many of them: the first
# 32 GiB are staged in blocks of 4 MiB, and Azure's 50,000 blocks hold more than a terabyte.
BLOCK_BYTES = 4 << 20
DOUBLE_AFTER = 8_192
MAX_BLOCKS = 50_000

# Blocks of one export that are staged at once, while the next ones are filled, if storage is near.
STAGERS = 2

# More if it is far, so that an upload of BYTES_PER_S does not wait: a block takes about two round trips, and eight on a
# connection whose window has yet to grow. They hold IN_FLIGHT_BYTES at most, and are allocated only if rows come faster
# than blocks leave. If a block takes SLOW_S, the line is narrow, and many of them would run into timeouts: the next
# ones are as few as at first.
BYTES_PER_S = 200_000_000
ROUND_TRIPS = 4
SLOW_S = 4.0
IN_FLIGHT_BYTES = 64 << 20
MAX_STAGERS = IN_FLIGHT_BYTES // BLOCK_BYTES

# An export has one more part for each of these: some 0.5 s of work, beside which a part's connection is little.
PART_BYTES = 96 << 20

# A connection to PostgreSQL moves at most its server's window in a round trip: Linux sends by one of 4 MB, nearly half
# of which is bookkeeping. If the server is far, an export has as many streams as carry BYTES_PER_S together. Another
# one takes some 8 MB of memory: unless TAILRACE_MAX_STREAMS says more there are FAR_STREAMS at most, and no more than
# the pool has places. Each reads so much at least that its connection is worth its round trips.
WINDOW_BYTES = 2_600_000
FAR_STREAMS = 8
FAR_PART_BYTES = 24 << 20

# What each part's line in the receipt leaves room for in the 8 KB of a blob's metadata.
MAX_PARTS = 32

# One row group of Parquet, in bytes as PostgreSQL sends them: a larger one makes the file little smaller. Each stream
# fills one, and one of all streams is being encoded.
GROUP_BYTES = 8 << 20
MAX_GROUP_BYTES = 64 << 20

# What Arrow holds of each column of each row group at the end of the file: until then half of it, which it copies to
# write the footer.
ENTRY_BYTES = 1900

# libpq never gives back what its buffer has grown to, so a connection that received such a row is closed after its use.
LARGE_ROW_BYTES = 16 << 20

# More would only wait for the one thread that encodes.
PARQUET_STREAMS = 2

# Bloom filters of one Parquet file, which lie in memory until its end: some 60 to 110 million values at 1%.
FILTERS_BYTES = 128 << 20


def group_bytes(entries: int) -> int:
    """The size of a stream's next row group, after row groups of `entries` columns in all.

    It doubles when those entries take twice its own memory, so that memory grows with the root of the data.

    >>> [group_bytes(columns) >> 20 for columns in (0, 8_800, 8_900, 18_000, 36_000, 1_000_000)]
    [8, 8, 16, 32, 64, 64]
    """
    return min(MAX_GROUP_BYTES, GROUP_BYTES << (entries * ENTRY_BYTES // (2 * GROUP_BYTES)).bit_length())
