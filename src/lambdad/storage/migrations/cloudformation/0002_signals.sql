-- What wait conditions were told, by the token of their handle or by stack and logical id.
CREATE TABLE signal (
    key TEXT NOT NULL,
    signal_id TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (key, signal_id)
) WITHOUT ROWID;
