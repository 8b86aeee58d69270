"""The contenders, a module for each kind; each module lists its own in CONTENDERS."""
