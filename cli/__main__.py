"""`python -m cli` is `tailrace`."""

from cli.main import main

main()
