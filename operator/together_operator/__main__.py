"""`python -m together_operator` is `together-operator`."""

from together_operator.cli import main

main()
