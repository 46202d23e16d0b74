"""Tests of the operator; what they share is in `tests.support`."""
