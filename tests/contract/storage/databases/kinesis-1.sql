BEGIN TRANSACTION;
CREATE TABLE consumer (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    settings TEXT NOT NULL,
    UNIQUE (stream_id, name)
);
INSERT INTO "consumer" VALUES(1,1,'c',1764000000000,'{"tags": {}, "policy": null}');
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    shard_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    partition_key TEXT NOT NULL,
    data BLOB NOT NULL
);
INSERT INTO "record" VALUES(1,2,1849688064000000001,'Grüße 0',X'0078');
INSERT INTO "record" VALUES(2,1,1849688064000000001,'Grüße 1',X'0078');
INSERT INTO "record" VALUES(3,1,1849688064000000002,'Grüße 2',X'0078');
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
INSERT INTO "shard" VALUES(1,1,0,'0','170141183460469231731687303715884105727',NULL,NULL,1849688064000000000,NULL);
INSERT INTO "shard" VALUES(2,1,1,'170141183460469231731687303715884105728','340282366920938463463374607431768211455',NULL,NULL,1849688064000000000,NULL);
CREATE TABLE stream (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    settings TEXT NOT NULL,
    UNIQUE (account_id, region, name)
);
INSERT INTO "stream" VALUES(1,'000000000000','us-east-1','s',1764000000000,'{"mode": "PROVISIONED", "retention_hours": 24, "encryption": "NONE", "key": null, "tags": {"a": "Gr\u00fc\u00dfe"}, "policy": null, "metrics": [], "record_kib": 1024, "warm": null, "distribution": "USER_PARTITION_KEY", "stream_id": "0123456789abcdef0123-012"}');
CREATE UNIQUE INDEX record_position ON record (shard_id, position);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('stream',1);
INSERT INTO "sqlite_sequence" VALUES('shard',2);
INSERT INTO "sqlite_sequence" VALUES('consumer',1);
COMMIT;
PRAGMA user_version = 1;
