"""Measurements: what the operator costs and how soon it acts, on one machine, in one run."""
