-- Stacks, change sets and exports are few and held in memory; bodies are JSON.
CREATE TABLE stack (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE change_set (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

-- What a stack has made: the resources of its template, and those that are to be deleted.
CREATE TABLE resource (
    stack_id TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (stack_id, key)
) WITHOUT ROWID;

CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stack_id TEXT NOT NULL,
    body TEXT NOT NULL
);

CREATE INDEX event_of_stack ON event (stack_id, id);

-- What custom resources answered, by the token in their response URL.
CREATE TABLE response (
    token TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;
