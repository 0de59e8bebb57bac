"""Schema versions of the SQLite engine."""
