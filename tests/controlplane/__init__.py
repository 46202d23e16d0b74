"""The local control plane keeps its promises: it starts, restarts, and leaves nothing behind."""
