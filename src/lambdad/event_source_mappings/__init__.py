"""Event source mappings at work: what is in a source is taken to a function, batch by batch."""
