"""Parquet files of this project in the eyes of others: readers of other makes, and the format's own rules."""
