"""One block blob: its buffers, its blocks, its conditional commit."""
