-- The newest sequence of a stream that is too old to be kept any more.
ALTER TABLE stream ADD COLUMN trimmed_sequence INTEGER NOT NULL DEFAULT 0;
