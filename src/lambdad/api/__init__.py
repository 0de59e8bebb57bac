"""The AWS-compatible front door: parse, validate, dispatch, serialise."""
