"""The one place where buffers are sized. An export holds about CHUNK + BLOCK * (STAGERS + 2), plus its largest row."""

# What is compressed at a time. Python's cost per chunk vanishes above 256 KiB; the last of the CPU's caches
# holds 1 MiB.
CHUNK_BYTES = 1 << 20

# One Put Block. Azure's per-request overhead asks for 4 MiB or more; 50,000 blocks of 8 MiB are 390 GiB of blob.
BLOCK_BYTES = 8 << 20
MAX_BLOCKS = 50_000

# Threads that stage blocks for one export: two keep one compressing stream waiting for nobody.
STAGERS = 2
