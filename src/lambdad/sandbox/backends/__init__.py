"""Ways to confine, reached by entry point."""
