"""Together's remote API: transport, errors, and typed clients."""
