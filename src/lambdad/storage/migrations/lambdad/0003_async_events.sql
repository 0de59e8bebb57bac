-- Events that were accepted and are not done. `visible_ms` is when an event is due or the lease of
-- its claim ends, NULL when it is set aside; `attempt` counts claims and fences them; `lost` counts
-- claims whose outcome was not recorded. `head` and `outcome` are JSON.
CREATE TABLE async_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lane TEXT NOT NULL,
    visible_ms INTEGER,
    attempt INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    refusals INTEGER NOT NULL DEFAULT 0,
    accepted_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    head TEXT NOT NULL,
    outcome TEXT,
    payload BLOB
);
CREATE INDEX async_event_by_lane ON async_event (lane, visible_ms);
CREATE INDEX async_event_claimed ON async_event (visible_ms) WHERE lost > 0;
CREATE INDEX async_event_set_aside ON async_event (id) WHERE visible_ms IS NULL;
-- Payloads that do not stand in their row (part 0) and answers of functions (part 1).
CREATE TABLE async_payload (
    event_id INTEGER NOT NULL,
    part INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (event_id, part)
);
