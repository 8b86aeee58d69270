"""Rows out of PostgreSQL: the pool, one snapshot, COPY, and how a large table is split."""
