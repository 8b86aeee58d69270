"""C that is compiled for speed, and the Python that calls it. `python -m worker.native.build` compiles it."""
