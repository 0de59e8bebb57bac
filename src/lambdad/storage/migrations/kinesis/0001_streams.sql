-- settings: what can be changed of a stream, as JSON.
CREATE TABLE stream (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    settings TEXT NOT NULL,
    UNIQUE (account_id, region, name)
);

-- Hash keys have up to 39 digits, so they are text. A shard takes records between two positions;
-- it is open while it has no last one.
CREATE TABLE shard (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    first_hash TEXT NOT NULL,
    last_hash TEXT NOT NULL,
    parent INTEGER,
    adjacent_parent INTEGER,
    first_position INTEGER NOT NULL,
    last_position INTEGER,
    UNIQUE (stream_id, number)
);

-- position: milliseconds since 1970 when the record arrived, times 2^20, and a number that tells
-- those of one millisecond apart. It grows within a shard, whatever the clock does.
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    shard_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    partition_key TEXT NOT NULL,
    data BLOB NOT NULL
);

CREATE UNIQUE INDEX record_position ON record (shard_id, position);

CREATE TABLE consumer (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    settings TEXT NOT NULL,
    UNIQUE (stream_id, name)
);
