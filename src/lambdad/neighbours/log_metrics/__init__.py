"""Metrics that are in what is logged: in the embedded metric format, and by metric filters."""
