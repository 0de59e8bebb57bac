"""The failure matrix: one table that a test goes through and a page of the documentation shows."""
