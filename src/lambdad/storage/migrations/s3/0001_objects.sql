-- settings: what was configured by PutBucket..., a JSON object by the setting's name.
CREATE TABLE bucket (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    settings TEXT NOT NULL
);

-- Bytes, shared by whatever has the same ones. Small ones stand here, others in a file that is
-- named by its SHA-256.
CREATE TABLE body (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    refs INTEGER NOT NULL,
    size INTEGER NOT NULL,
    digest TEXT UNIQUE,
    data BLOB
);

-- Files that no body has any more.
CREATE TABLE garbage (digest TEXT PRIMARY KEY) WITHOUT ROWID;

-- An object, a version of it, or a delete marker. version_id is 'null' without versioning.
-- body_id: null for markers and for objects of parts, whose bodies are in segment.
CREATE TABLE version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    version_id TEXT NOT NULL,
    latest INTEGER NOT NULL,
    marker INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    body_id INTEGER,
    details TEXT NOT NULL
);

CREATE INDEX version_order ON version (bucket_id, key, id);
CREATE UNIQUE INDEX version_latest ON version (bucket_id, key, marker) WHERE latest = 1;

CREATE TABLE segment (
    version_row INTEGER NOT NULL,
    number INTEGER NOT NULL,
    start INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body_id INTEGER NOT NULL,
    checksums TEXT NOT NULL,
    PRIMARY KEY (version_row, number)
) WITHOUT ROWID;

CREATE TABLE upload (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    upload_id TEXT NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    details TEXT NOT NULL
);

CREATE INDEX upload_order ON upload (bucket_id, key, upload_id);

CREATE TABLE part (
    upload_row INTEGER NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    body_id INTEGER NOT NULL,
    checksums TEXT NOT NULL,
    PRIMARY KEY (upload_row, number)
) WITHOUT ROWID;

-- Notifications that have not been handed over yet.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    source TEXT NOT NULL,
    payload TEXT NOT NULL,
    accepted_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX outbox_due ON outbox (due_ms, id);
