"""`python -m digest` is the same as `digest`."""

from digest.cli.main import main

main()
