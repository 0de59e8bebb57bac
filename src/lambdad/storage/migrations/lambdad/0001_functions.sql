-- Function versions. `revision` repeats the document's, so that a compare-and-set is one statement.
CREATE TABLE function (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    revision TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account_id, region, name, version)
);
