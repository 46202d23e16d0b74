"""The life of a resource that the second generation of Together's API carries."""
