BEGIN TRANSACTION;
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
INSERT INTO "document" VALUES('group','arn:aws:scheduler:us-east-1:000000000000:schedule-group/g','{"account_id": "000000000000", "region": "us-east-1", "name": "g", "created_ms": 1764000000000, "modified_ms": 1764000000000, "tags": {}, "client_token": null}');
CREATE INDEX delivery_in_lane ON delivery (lane, due_ms, id);
CREATE INDEX delivery_in_order ON delivery (lane, id) WHERE ordered;
CREATE INDEX delivery_due ON delivery (due_ms);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('delivery',1);
PRAGMA user_version = 1;
COMMIT;
