"""HTTP APIs: what they are, which route takes a request, and how it is answered."""
