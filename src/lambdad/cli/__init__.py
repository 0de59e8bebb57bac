"""The `lambdad` command: an HTTP client of the AWS endpoint, and the way to start the daemon.

Knows nothing of functions or sandboxes by itself: `serve` and `doctor` call `lambdad.server`,
everything else talks HTTP like any other client.
"""
