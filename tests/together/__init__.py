"""The client of the remote API, and the driver on top of it."""
