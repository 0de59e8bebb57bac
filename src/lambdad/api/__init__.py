"""The AWS-compatible front door: one package per service, one module per resource."""
