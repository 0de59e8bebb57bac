"""How much a template may do: steps, characters, depth. Whoever writes templates is not trusted."""

from __future__ import annotations

STEPS_MAX = 100_000
TEXT_MAX = 10 * 1024 * 1024
ITEMS_MAX = 10_000
# API Gateway's own limit of iterations in a loop.
ITERATIONS_MAX = 1_000
DEPTH_MAX = 60
_CHARACTERS_A_STEP = 1_024


class TemplateFailed(Exception):
    """A template cannot be read or rendered; API Gateway answers with a 500."""


class Budget:
    """What a rendering has left to spend. Mutable."""

    __slots__ = ("_steps", "depth")

    def __init__(self, steps: int = STEPS_MAX) -> None:
        self._steps = steps
        self.depth = 0

    def spend(self, characters: int = 0) -> None:
        """Account for a step that handles so many characters.

        Raises:
            TemplateFailed: that is more than a template may do.
        """
        if characters > TEXT_MAX:
            raise TemplateFailed("the template makes more than 10 MB of text")
        self._steps -= 1 + characters // _CHARACTERS_A_STEP
        if self._steps < 0:
            raise TemplateFailed("the template takes too many steps")

    def enter(self) -> None:
        """Go a level deeper; see :meth:`leave`.

        Raises:
            TemplateFailed: it is too deep.
        """
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise TemplateFailed("the template is nested too deeply")

    def leave(self) -> None:
        """Come back from a level."""
        self.depth -= 1
