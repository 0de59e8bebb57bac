"""What exists: functions and their life cycle. Never starts a sandbox."""
