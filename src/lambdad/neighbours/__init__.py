"""Which AWS service a request is for."""
