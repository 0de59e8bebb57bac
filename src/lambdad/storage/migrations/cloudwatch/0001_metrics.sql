-- dimensions: a JSON array of [name, value], sorted.
CREATE TABLE metric (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    dimensions TEXT NOT NULL,
    last_s INTEGER NOT NULL,
    UNIQUE (account_id, region, namespace, name, dimensions)
);

-- What was put of a unit within a minute, or within a second of a metric of high resolution.
-- spread: a JSON array of [value, count] for percentiles; null where only sums are known.
CREATE TABLE datapoint (
    metric_id INTEGER NOT NULL,
    at_s INTEGER NOT NULL,
    unit TEXT NOT NULL,
    count REAL NOT NULL,
    sum REAL NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL,
    spread TEXT,
    PRIMARY KEY (metric_id, at_s, unit)
) WITHOUT ROWID;

CREATE INDEX datapoint_age ON datapoint (at_s);

CREATE TABLE alarm (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    state TEXT NOT NULL,
    tags TEXT NOT NULL,
    UNIQUE (account_id, region, name)
);

CREATE TABLE alarm_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    type TEXT NOT NULL,
    summary TEXT NOT NULL,
    data TEXT NOT NULL
);

CREATE INDEX alarm_history_of ON alarm_history (account_id, region, name, id);
CREATE INDEX alarm_history_age ON alarm_history (at_ms);

-- What alarms have promised and is not delivered yet.
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
