"""`python -m faceveil` is the `faceveil` command."""

from faceveil.apps.cli import main

main()
