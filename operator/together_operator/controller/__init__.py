"""All I/O around the core: queue, reconciler, poller, status, events, keys."""
