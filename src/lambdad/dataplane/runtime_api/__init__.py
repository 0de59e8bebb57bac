"""The Lambda Runtime API, version 2018-06-01, served into each sandbox."""
