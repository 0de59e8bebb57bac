"""Subscriptions of log groups: what is logged goes on to functions and streams."""
