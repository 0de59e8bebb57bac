"""Environments that are made before it is known for which function: an optimisation only."""
