-- A worker was told that the record is gone from the source: in the sink it may be archived.
ALTER TABLE record ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;

-- Jobs that ended so: archived, marked or removed in the sink.
ALTER TABLE run ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
