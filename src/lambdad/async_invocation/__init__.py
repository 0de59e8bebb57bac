"""`InvocationType=Event`: the queue's work, retries, destinations and dead letters."""
