"""The container image: what the Dockerfile says, does, and makes."""
