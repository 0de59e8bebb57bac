-- Identifiers are never used again (AUTOINCREMENT): page tokens and tombstones outlive their rows.
CREATE TABLE log_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    retention_days INTEGER,
    stored_bytes BIGINT NOT NULL,
    UNIQUE (account_id, region, name)
);

CREATE TABLE log_stream (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    first_event_ms BIGINT,
    last_event_ms BIGINT,
    last_ingestion_ms BIGINT,
    UNIQUE (group_id, name)
);

-- No foreign keys: a deleted group's rows are removed in bounded steps, after it has vanished.
CREATE TABLE log_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id BIGINT NOT NULL,
    stream_id BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    ingestion_ms BIGINT NOT NULL,
    bytes INTEGER NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX log_event_by_group ON log_event (group_id, timestamp_ms, id);
CREATE INDEX log_event_by_stream ON log_event (group_id, stream_id, timestamp_ms, id);

-- Groups that are deleted but whose streams and events still take up room.
CREATE TABLE log_tombstone (
    group_id BIGINT NOT NULL PRIMARY KEY
);
