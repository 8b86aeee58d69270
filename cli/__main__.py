"""`python -m cli` is `tailrace`."""

from cli.start import main

main()
