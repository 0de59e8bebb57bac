"""The life of a process that others are made of: initialised, written out, and gone on with."""
# ruff: noqa: TID252

import os
import time

from . import snapshot_capture, snapshot_hooks, snapshot_image, snapshot_limits, snapshot_renewal
from .logs import flush_streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    from .channel import Channel
    from .client import RuntimeApi
    from .logs import Sink

    Api = Union[RuntimeApi, Channel]


class Template:
    """A process that is told, with its function, to write a snapshot when it is initialised.

    `assignment` is the socket that a copy gets its variables by, `output` takes the image, and
    `data` are this process's variables, as they were sent.
    """

    def __init__(self, assignment: int, output: int, data: bytes) -> None:
        self._assignment = assignment
        self._output = output
        self._variables = snapshot_renewal.parse(data)
        for descriptor in (assignment, output):
            os.set_inheritable(descriptor, False)
        self._base = snapshot_limits.Base()

    def settle(self, api: "Api", sink: "Sink") -> None:
        """Run the hooks and write the snapshot. What goes on is this process, or a copy of it."""
        try:
            snapshot_hooks.before()
        except Exception as error:  # noqa: BLE001 - a hook may raise anything
            snapshot_hooks.fail(api, sink, error, snapshot_hooks.BEFORE_SNAPSHOT)
        place = snapshot_renewal.Place()
        flush_streams()
        if not snapshot_capture.capture(self._output, self._base):
            os.close(self._assignment)
            return
        try:
            self._become_copy(place)
        except Exception as error:  # noqa: BLE001 - as above
            snapshot_hooks.fail(api, sink, error, snapshot_hooks.AFTER_RESTORE)

    def _become_copy(self, place: snapshot_renewal.Place) -> None:
        data = snapshot_renewal.read(self._assignment)
        if not data:
            # The platform needs the memory for something else.
            os._exit(0)
        snapshot_renewal.take_variables(data, self._variables)
        place.enter()
        snapshot_renewal.renew()
        self._say(snapshot_image.RESTORED)
        begun = time.perf_counter()
        snapshot_hooks.after()
        # In nanoseconds, for the function's owner pays for it.
        self._say(int((time.perf_counter() - begun) * 1e9).to_bytes(8, "big"))
        os.close(self._assignment)

    def _say(self, words: bytes) -> None:
        try:
            os.write(self._assignment, words)
        except OSError:
            # Nobody wants to know.
            return
