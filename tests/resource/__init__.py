"""The contract of the resource, without a cluster."""  # noqa: A005 (no top-level module)
