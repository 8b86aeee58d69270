"""The one place where buffers are sized, with the reasons.

One export holds about CHUNK_BYTES where it reads, and BLOCK_BYTES * (STAGERS + 2) for each stream where it writes,
plus its largest row a few times over.
"""

# What is compressed at a time. Python's cost per chunk vanishes above 256 KiB; the last of the CPU's caches
# holds 1 MiB.
CHUNK_BYTES = 1 << 20

# One Put Block. Azure's per-request overhead asks for 4 MiB or more; 50,000 blocks of 8 MiB are 390 GiB of blob.
BLOCK_BYTES = 8 << 20
MAX_BLOCKS = 50_000

# Blocks of one stream that are staged at once: while one is on its way the next one is filled.
STAGERS = 2

# Below this an export is read by a thread of the worker itself: starting or waking a reader process costs more.
INLINE_BYTES = 32 << 20

# An export has one more part for each of these: some 0.5 s of work, beside which a part's connection is little.
PART_BYTES = 96 << 20

# What each part's line in the receipt leaves room for in the 8 KB of a blob's metadata.
MAX_PARTS = 32
