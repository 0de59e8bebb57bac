"""Entry point of a Python runtime process: `python3.X -S /var/runtime/bootstrap.py`."""

from lambdad_guest.loop import run  # type: ignore[import-not-found]

run()
