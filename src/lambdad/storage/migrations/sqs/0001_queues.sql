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

-- Small, because it changes with every receive; what is carried stands in content.
-- due_ms: when it can be received; of a message in flight, when its visibility timeout ends.
-- claimed_ms: when it was received last; null if it was never, or was made visible again.
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

CREATE INDEX message_due ON message (queue_id, due_ms, claimed_ms);
CREATE INDEX message_age ON message (queue_id, sent_ms);
CREATE INDEX message_in_group ON message (queue_id, fifo_group, id) WHERE fifo_group IS NOT NULL;

CREATE TABLE content (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    extras TEXT NOT NULL
);

-- Groups of FIFO queues that have messages. ready_ms: when the next one can be received, which is
-- when none of the group is in flight any more.
CREATE TABLE message_group (
    queue_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    ready_ms INTEGER NOT NULL,
    head_id INTEGER NOT NULL,
    PRIMARY KEY (queue_id, name)
) WITHOUT ROWID;

CREATE INDEX message_group_ready ON message_group (queue_id, ready_ms, head_id);

CREATE TABLE deduplication (
    queue_id INTEGER NOT NULL,
    scope TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    row_id INTEGER NOT NULL,
    PRIMARY KEY (queue_id, scope, deduplication_id)
) WITHOUT ROWID;

CREATE INDEX deduplication_end ON deduplication (until_ms);

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

CREATE INDEX move_task_source ON move_task (source_arn, id);
