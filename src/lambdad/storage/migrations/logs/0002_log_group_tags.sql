-- A JSON object; few groups have any.
ALTER TABLE log_group ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
