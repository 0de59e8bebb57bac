BEGIN TRANSACTION;
CREATE TABLE deduplication (
    topic TEXT NOT NULL,
    scope TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (topic, scope, deduplication_id)
) WITHOUT ROWID;
INSERT INTO "deduplication" VALUES('arn:aws:sns:us-east-1:000000000000:t.fifo','','d',1764000300000,'m',7);
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
INSERT INTO "delivery" VALUES(1,'arn:aws:lambda:us-east-1:000000000000:function:f',0,1764000000000,1764000001000,1,'{"arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "account_id": "000000000000", "source": ["events.amazonaws.com", "arn:aws:events:us-east-1:000000000000:rule/r", "000000000000"], "retries": 185, "age_s": 86400, "delay_s": 1.0, "delay_max_s": 480.0, "dead_letter": null, "labels": {"RULE_ARN": "r"}, "options": {}}','{"name":"Grüße"}');
CREATE TABLE document (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
INSERT INTO "document" VALUES('topic','arn:aws:sns:us-east-1:000000000000:t.fifo','{"account_id": "000000000000", "region": "us-east-1", "name": "t.fifo", "attributes": {"FifoTopic": "true"}, "tags": {}}');
CREATE TABLE sequence (
    topic TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "sequence" VALUES('arn:aws:sns:us-east-1:000000000000:t.fifo',7);
CREATE INDEX delivery_in_lane ON delivery (lane, due_ms, id);
CREATE INDEX delivery_in_order ON delivery (lane, id) WHERE ordered;
CREATE INDEX delivery_due ON delivery (due_ms);
CREATE INDEX deduplication_end ON deduplication (until_ms);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('delivery',1);
PRAGMA user_version = 1;
COMMIT;
