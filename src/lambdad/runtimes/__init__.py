"""What runs inside a sandbox: AWS identifiers and the languages that serve them."""
