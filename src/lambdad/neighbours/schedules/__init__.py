"""When something is due: `rate`, `cron` and `at` expressions, as rules and schedules have them."""
