"""Rows as the bytes of a blob: CSV through a codec, or Parquet."""
