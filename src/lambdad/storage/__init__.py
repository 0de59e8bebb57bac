"""What lambdad remembers."""
