"""The core, driven through a world that plays everything around it."""
