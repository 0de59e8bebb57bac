"""Measurements of what SPECIFICATION.md promises. They assert nothing."""
