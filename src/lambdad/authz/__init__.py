"""Who calls: principals from SigV4 credentials."""
