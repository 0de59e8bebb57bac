-- Aliases, policies, configurations: what belongs to functions. `function` is NULL for a resource
-- that outlives any function.
CREATE TABLE resource (
    kind TEXT NOT NULL,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    function TEXT,
    revision TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, account_id, region, name)
);
CREATE INDEX resource_by_function ON resource (account_id, region, function);
