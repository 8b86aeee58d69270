"""`make demo`: the whole way of 30 days of data, from the timer to blobs that are loaded back and compared."""
