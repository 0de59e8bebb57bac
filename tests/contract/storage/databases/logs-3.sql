BEGIN TRANSACTION;
CREATE TABLE log_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id BIGINT NOT NULL,
    stream_id BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    ingestion_ms BIGINT NOT NULL,
    bytes INTEGER NOT NULL,
    message TEXT NOT NULL
, parts BLOB);
INSERT INTO "log_event" VALUES(3,1,1,1764000000000,1764000000000,93,'STARTGrüßeEND',X'000102050000000500000003000000');
CREATE TABLE log_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    retention_days INTEGER,
    stored_bytes BIGINT NOT NULL, tags TEXT NOT NULL DEFAULT '{}',
    UNIQUE (account_id, region, name)
);
INSERT INTO "log_group" VALUES(1,'000000000000','us-east-1','/aws/lambda/hello',1764000000000,NULL,93,'{}');
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
INSERT INTO "log_stream" VALUES(1,1,'2025/11/24/[$LATEST]00000000000000000000000000000000',1764000000000,1764000000000,1764000000002,1764000000000);
CREATE TABLE log_tombstone (
    group_id BIGINT NOT NULL PRIMARY KEY
);
CREATE INDEX log_event_by_group ON log_event (group_id, timestamp_ms, id);
CREATE INDEX log_event_by_stream ON log_event (group_id, stream_id, timestamp_ms, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('log_group',1);
INSERT INTO "sqlite_sequence" VALUES('log_stream',1);
INSERT INTO "sqlite_sequence" VALUES('log_event',3);
COMMIT;
PRAGMA user_version = 3;
