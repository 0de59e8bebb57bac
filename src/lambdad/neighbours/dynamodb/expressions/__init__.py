"""DynamoDB's expressions: parsed with their placeholders, then evaluated against items."""
