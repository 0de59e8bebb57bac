"""Composition root: the only place that constructs components."""
