"""What exists: functions and their life cycles. Never starts a sandbox."""
