"""What pushes events to functions: function URLs, and later API Gateway, schedules, S3 and more."""
