"""Every operation that changes what exists, as steps of one script that can be run for ever.

A unit test holds the script to the operations that are served: a new one needs a step.
"""

from __future__ import annotations

from collections.abc import Sequence

from lambdad.testing.crash.function_steps import ATTACHMENTS, FIRST, LAST
from lambdad.testing.crash.other_steps import BESIDES, LOGS
from lambdad.testing.crash.world import Step

SCRIPT: Sequence[Step] = (*FIRST, *ATTACHMENTS, *BESIDES, *LOGS, *LAST)

# Operations that read; `Invoke` and its like are loads of their own.
READS = ("Describe", "Filter", "Get", "Invoke", "List", "Test")

# Registered only to be refused: lambdad has no capacity providers.
REFUSED = frozenset({"PutFunctionScalingConfig"})
