"""The AWS services behind the one port: which of them a request is for, and what serves it."""
