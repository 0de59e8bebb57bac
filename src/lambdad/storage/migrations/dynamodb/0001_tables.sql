-- document: settings of a table, in the API's words. deleting: what it held is being cleared away.
CREATE TABLE definition (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    items INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    deleting INTEGER NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX definition_name ON definition (account_id, region, name) WHERE deleting = 0;

-- hash: of the partition key, so that a scan and its segments are ranges of it.
-- key_partition, key_sort: bytes that order as the values of their type do.
CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    definition_id INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    key_partition BLOB NOT NULL,
    key_sort BLOB NOT NULL,
    size INTEGER NOT NULL,
    body TEXT NOT NULL
);

CREATE UNIQUE INDEX item_key ON item (definition_id, hash, key_partition, key_sort);

-- Secondary indexes, local and global; what they are of stands in their table's document.
CREATE TABLE secondary (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    definition_id INTEGER NOT NULL,
    items INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    deleting INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE entry (
    secondary_id INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    key_partition BLOB NOT NULL,
    key_sort BLOB NOT NULL,
    item_partition BLOB NOT NULL,
    item_sort BLOB NOT NULL,
    item_id INTEGER NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (secondary_id, hash, key_partition, key_sort, item_partition, item_sort)
) WITHOUT ROWID;

-- When items end by themselves, in epoch seconds.
CREATE TABLE expiry (
    item_id INTEGER PRIMARY KEY,
    definition_id INTEGER NOT NULL,
    due_s INTEGER NOT NULL
);

CREATE INDEX expiry_due ON expiry (due_s);

-- Streams outlive being switched off, and their table, by a day.
CREATE TABLE stream (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    table_name TEXT NOT NULL,
    label TEXT NOT NULL,
    view_type TEXT NOT NULL,
    key_schema TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    first_sequence INTEGER NOT NULL,
    closed_ms INTEGER,
    last_sequence INTEGER,
    UNIQUE (account_id, region, table_name, label)
);

CREATE TABLE record (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    stream_id INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body TEXT NOT NULL
);

CREATE INDEX record_of_stream ON record (stream_id, sequence);
CREATE INDEX record_age ON record (created_ms);

-- Client tokens of transactions, with a digest of what was asked for.
CREATE TABLE token (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (account_id, region, name)
) WITHOUT ROWID;

CREATE INDEX token_end ON token (until_ms);
