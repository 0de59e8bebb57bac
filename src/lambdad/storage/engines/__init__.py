"""Where it is remembered, reached by entry point."""
