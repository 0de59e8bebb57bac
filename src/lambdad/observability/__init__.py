"""Logs, report lines and usage."""
