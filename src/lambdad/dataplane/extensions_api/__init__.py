"""The Lambda Extensions API, version 2020-01-01, served into each sandbox."""
