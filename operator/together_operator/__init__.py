"""The operator: makes a Together AI dedicated endpoint be what a TogetherEndpoint says."""

__version__ = "0.1.0"
