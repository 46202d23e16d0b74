"""Tests of the plumbing around the controller: queue, settings, logs, metrics, command line."""
