"""`python -m runtime` is `gateway`."""

from runtime.cli import main

main()
