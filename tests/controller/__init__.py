"""The controller without a cluster: what happens between its parts, on a clock of its own."""
