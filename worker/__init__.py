"""Carries out one request: COPY out of PostgreSQL, through gzip, into one block blob."""
