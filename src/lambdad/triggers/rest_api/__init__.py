"""REST APIs: what they are, which method takes a request, and how it is answered."""
