BEGIN TRANSACTION;
CREATE TABLE content (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    extras TEXT NOT NULL
);
INSERT INTO "content" VALUES(1,'Grüße 0','{"sender":"000000000000"}');
INSERT INTO "content" VALUES(2,'Grüße 1','{"sender":"000000000000"}');
INSERT INTO "content" VALUES(3,'Grüße 2','{"sender":"000000000000"}');
INSERT INTO "content" VALUES(4,'Grüße 0','{"sender":"000000000000","group":"g","deduplication":"0"}');
INSERT INTO "content" VALUES(5,'Grüße 1','{"sender":"000000000000","group":"g","deduplication":"1"}');
INSERT INTO "content" VALUES(6,'Grüße 2','{"sender":"000000000000","group":"g","deduplication":"2"}');
CREATE TABLE deduplication (
    queue_id INTEGER NOT NULL,
    scope TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    row_id INTEGER NOT NULL,
    PRIMARY KEY (queue_id, scope, deduplication_id)
) WITHOUT ROWID;
INSERT INTO "deduplication" VALUES(2,'','0',1764000300000,'order.fifo-0',4);
INSERT INTO "deduplication" VALUES(2,'','1',1764000300000,'order.fifo-1',5);
INSERT INTO "deduplication" VALUES(2,'','2',1764000300000,'order.fifo-2',6);
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_id INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    sent_ms INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    claimed_ms INTEGER,
    first_received_ms INTEGER,
    fifo_group TEXT
);
INSERT INTO "message" VALUES(1,1,1764000030001,'plain-0',1764000000000,1,1764000000001,1764000000001,NULL);
INSERT INTO "message" VALUES(2,1,1764000000000,'plain-1',1764000000000,0,NULL,NULL,NULL);
INSERT INTO "message" VALUES(3,1,1764000000000,'plain-2',1764000000000,0,NULL,NULL,NULL);
INSERT INTO "message" VALUES(4,2,1764000030001,'order.fifo-0',1764000000000,1,1764000000001,1764000000001,'g');
INSERT INTO "message" VALUES(5,2,1764000000000,'order.fifo-1',1764000000000,0,NULL,NULL,'g');
INSERT INTO "message" VALUES(6,2,1764000000000,'order.fifo-2',1764000000000,0,NULL,NULL,'g');
CREATE TABLE message_group (
    queue_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    ready_ms INTEGER NOT NULL,
    head_id INTEGER NOT NULL,
    PRIMARY KEY (queue_id, name)
) WITHOUT ROWID;
INSERT INTO "message_group" VALUES(2,'g',1764000030001,4);
CREATE TABLE move_task (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source_arn TEXT NOT NULL,
    destination_arn TEXT,
    rate INTEGER,
    status TEXT NOT NULL,
    moved INTEGER NOT NULL DEFAULT 0,
    to_move INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    failure TEXT
);
INSERT INTO "move_task" VALUES(1,'arn:aws:sqs:us-east-1:000000000000:plain',NULL,NULL,'COMPLETED',0,0,0,1764000000000,NULL);
CREATE TABLE queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    UNIQUE (account_id, region, name)
);
INSERT INTO "queue" VALUES(1,'000000000000','us-east-1','plain',1764000000000,1764000000000,'{"DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true", "VisibilityTimeout": "30"}','{"a": "b"}');
INSERT INTO "queue" VALUES(2,'000000000000','us-east-1','order.fifo',1764000000000,1764000000000,'{"DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true", "VisibilityTimeout": "30", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue", "FifoQueue": "true"}','{"a": "b"}');
CREATE INDEX message_due ON message (queue_id, due_ms, claimed_ms);
CREATE INDEX message_age ON message (queue_id, sent_ms);
CREATE INDEX message_in_group ON message (queue_id, fifo_group, id) WHERE fifo_group IS NOT NULL;
CREATE INDEX message_group_ready ON message_group (queue_id, ready_ms, head_id);
CREATE INDEX deduplication_end ON deduplication (until_ms);
CREATE INDEX move_task_source ON move_task (source_arn, id);
COMMIT;
PRAGMA user_version = 1;
