CREATE TABLE document (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;

-- What was promised and is not delivered yet. Deliveries of a lane share their limits; those of an
-- ordered lane are made in the order of their ids.
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lane TEXT NOT NULL,
    ordered INTEGER NOT NULL,
    accepted_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    envelope TEXT NOT NULL,
    payload TEXT NOT NULL
);

CREATE INDEX delivery_in_lane ON delivery (lane, due_ms, id);
CREATE INDEX delivery_in_order ON delivery (lane, id) WHERE ordered;
CREATE INDEX delivery_due ON delivery (due_ms);

-- Messages of FIFO topics that would be repeated if they came again.
CREATE TABLE deduplication (
    topic TEXT NOT NULL,
    scope TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (topic, scope, deduplication_id)
) WITHOUT ROWID;

CREATE INDEX deduplication_end ON deduplication (until_ms);

CREATE TABLE sequence (
    topic TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) WITHOUT ROWID;
