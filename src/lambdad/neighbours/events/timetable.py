"""When a rule with a schedule is due. Pure.

AWS makes up no runs that were missed; one that was due less than a minute before the daemon came
back is not missed.
"""

from __future__ import annotations

from lambdad.neighbours.events.model import Rule

_GRACE_S = 60.0


def due_of(rule: Rule, now_s: float) -> float | None:
    """Return when a rule is due, in epoch seconds, or None for never."""
    if rule.expression is None or not rule.enabled:
        return None
    anchor_s = rule.anchor_ms / 1_000
    after_s = max(now_s - _GRACE_S, anchor_s)
    if rule.fired_ms is not None:
        after_s = max(after_s, rule.fired_ms / 1_000)
    due_s = rule.expression.next_after(after_s, anchor_s)
    while due_s is not None:
        # Of several that were due within the grace, the last one.
        later_s = rule.expression.next_after(due_s, anchor_s)
        if later_s is None or later_s > now_s:
            break
        due_s = later_s
    return due_s
