-- Who left a started mark; NULL: a process of an older version, of which nothing is known any more.
ALTER TABLE record ADD COLUMN started_by TEXT;
ALTER TABLE image ADD COLUMN started_by TEXT;

-- A call was broken off that was to write this version: until then (Unix milliseconds) the sink may still do it.
ALTER TABLE record ADD COLUMN doubt_until INTEGER;
ALTER TABLE record ADD COLUMN doubt_epoch INTEGER;
ALTER TABLE record ADD COLUMN doubt_sequence INTEGER;
CREATE INDEX record_doubt ON record (pipeline, doubt_until) WHERE doubt_until IS NOT NULL;

-- When the last job of a complete run had ended.
ALTER TABLE run ADD COLUMN settled TEXT;
UPDATE run SET settled = ended
    WHERE outcome = '"complete"' AND enqueued <= created + updated + unchanged + superseded + dead;

-- Messages that are no job of ours. The order of numbers is the order of time; `id` is the same for the same message.
CREATE TABLE stray (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    stray TEXT NOT NULL
) STRICT;
