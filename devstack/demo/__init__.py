"""`make demo`: the whole way of 30 days of data, from the timer to blobs that the drill restores and compares."""
