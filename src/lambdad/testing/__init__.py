"""Public fakes and contract suites, for our tests and for those of third-party backends."""
