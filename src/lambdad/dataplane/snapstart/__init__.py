"""Environments that go on where another one of their version was initialised: SnapStart."""
