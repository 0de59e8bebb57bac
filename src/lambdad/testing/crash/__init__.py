"""What is lost when a daemon dies at any instant: loads, and ledgers that clients keep."""
