"""Nouns and rules of AWS Lambda. No I/O, no asyncio; imports nothing else of lambdad."""
