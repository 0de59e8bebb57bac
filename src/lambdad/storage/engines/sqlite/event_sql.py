"""Statements of the event queue. Each is conditional and says what it changed.

The subset of SQL is the one that PostgreSQL shares; there the inner SELECT of a claim would add
FOR UPDATE SKIP LOCKED.
"""

from __future__ import annotations

INSERT = """
INSERT INTO async_event (lane, visible_ms, accepted_ms, size, head, payload)
VALUES (?, ?, ?, ?, ?, ?)
"""
INSERT_PART = "INSERT INTO async_payload (event_id, part, content) VALUES (?, ?, ?)"

COLUMNS = """
id, lane, visible_ms, attempt, lost, tries, refusals, accepted_ms, head, outcome, payload
"""

# The running sum stops a claim at the event that reaches the limit of bytes.
CLAIM = f"""
UPDATE async_event SET visible_ms = ?, attempt = attempt + 1, lost = lost + 1
WHERE id IN (
    SELECT id FROM (
        SELECT id, SUM(size) OVER (ORDER BY visible_ms, id) - size AS before FROM (
            SELECT id, visible_ms, size FROM async_event
            WHERE lane = ? AND visible_ms <= ? ORDER BY visible_ms, id LIMIT ?
        )
    ) WHERE before < ?
)
RETURNING {COLUMNS}
"""  # noqa: S608 - constant column names
NEXT_DUE = """
SELECT visible_ms FROM async_event
WHERE lane = ? AND visible_ms IS NOT NULL ORDER BY visible_ms LIMIT 1
"""
PARTS = "SELECT part, content FROM async_payload WHERE event_id = ?"

DONE = "DELETE FROM async_event WHERE id = ? AND attempt = ?"
DELETE_PARTS = "DELETE FROM async_payload WHERE event_id = ?"
RETRY = """
UPDATE async_event SET visible_ms = ?, lost = 0, tries = ?, refusals = ?, outcome = ?
WHERE id = ? AND attempt = ?
"""
REPLACE_ANSWER = """
INSERT INTO async_payload (event_id, part, content) VALUES (?, 1, ?)
ON CONFLICT (event_id, part) DO UPDATE SET content = excluded.content
"""
DELETE_ANSWER = "DELETE FROM async_payload WHERE event_id = ? AND part = 1"
# The attempt is counted on, so that the one who gives the event back cannot change it any more.
RELEASE = """
UPDATE async_event SET visible_ms = ?, attempt = attempt + 1, lost = lost - 1
WHERE id = ? AND attempt = ? AND lost > 0
"""
EXTEND = "UPDATE async_event SET visible_ms = ? WHERE id = ? AND attempt = ? AND lost > 0"
RECOVER = "UPDATE async_event SET visible_ms = ? WHERE lost > 0 AND visible_ms > ?"
SET_ASIDE_UNREADABLE = """
UPDATE async_event SET visible_ms = NULL, lost = 0, outcome = ? WHERE id = ? AND attempt = ?
"""

# Steps from lane to lane along the index, however many events each has.
LANES = """
WITH RECURSIVE step(lane) AS (
    SELECT MIN(lane) FROM async_event
    UNION ALL
    SELECT (SELECT MIN(e.lane) FROM async_event e WHERE e.lane > step.lane) FROM step
    WHERE step.lane IS NOT NULL
)
SELECT lane, (
    SELECT e.visible_ms FROM async_event e
    WHERE e.lane = step.lane AND e.visible_ms IS NOT NULL ORDER BY e.visible_ms LIMIT 1
) AS due FROM step WHERE lane IS NOT NULL AND due IS NOT NULL
"""

COUNT = "SELECT COUNT(*) FROM async_event"
COUNT_RUNNING = "SELECT COUNT(*) FROM async_event WHERE lost > 0 AND visible_ms > ?"
COUNT_SET_ASIDE = "SELECT COUNT(*) FROM async_event WHERE visible_ms IS NULL"
OLDEST = "SELECT accepted_ms FROM async_event ORDER BY id LIMIT 1"

SHOW = f"SELECT {COLUMNS} FROM async_event WHERE id = ?"  # noqa: S608 - constant column names
REVIVE = """
UPDATE async_event SET visible_ms = ?, accepted_ms = ?, lost = 0, tries = 0, refusals = 0
WHERE id = ? AND (visible_ms IS NULL OR lost = 0 OR visible_ms <= ?) RETURNING lane
"""
