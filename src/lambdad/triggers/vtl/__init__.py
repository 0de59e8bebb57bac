"""The Velocity Template Language, as mapping templates of API Gateway need it."""
