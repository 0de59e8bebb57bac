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
