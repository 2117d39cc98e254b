"""`python -m foedus.node` is the `foedus` command."""

from foedus.node.cli import main

main()
