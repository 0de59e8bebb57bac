"""AWS wire protocols, sans I/O, driven by botocore's service models."""
