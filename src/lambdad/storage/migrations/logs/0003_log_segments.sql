-- A row may hold several events of a stream; id is that of the last, timestamp_ms the earliest.
-- NULL for one event; else of each the milliseconds behind timestamp_ms (a byte), then of each the
-- characters of its text (four bytes, little-endian).
ALTER TABLE log_event ADD COLUMN parts BLOB;
