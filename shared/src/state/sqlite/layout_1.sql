-- `source` is NULL where jobs came before the first run. `epoch` and `sequence` are those of the newest version given;
-- versions of epochs below `floor` are about another source or sink. The last eight are totals over the pipeline.
CREATE TABLE pipeline (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    source TEXT,
    sink TEXT,
    mapping BLOB,
    cursor TEXT,
    last_full TEXT,
    open_run INTEGER,
    epoch INTEGER NOT NULL DEFAULT 0,
    sequence INTEGER NOT NULL DEFAULT 0,
    floor INTEGER NOT NULL DEFAULT 0,
    wanted INTEGER NOT NULL DEFAULT 0,
    applied INTEGER NOT NULL DEFAULT 0,
    outstanding INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    images_wanted INTEGER NOT NULL DEFAULT 0,
    images_applied INTEGER NOT NULL DEFAULT 0,
    images_outstanding INTEGER NOT NULL DEFAULT 0,
    images_dead INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline INTEGER NOT NULL REFERENCES pipeline (id),
    kind TEXT NOT NULL,
    window_start TEXT,
    window_end TEXT NOT NULL,
    force INTEGER NOT NULL,
    position TEXT,
    pages INTEGER NOT NULL DEFAULT 0,
    started TEXT NOT NULL,
    ended TEXT,
    outcome TEXT,
    unchanged_at_source INTEGER NOT NULL DEFAULT 0,
    dead_at_source INTEGER NOT NULL DEFAULT 0,
    enqueued INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL DEFAULT 0,
    updated INTEGER NOT NULL DEFAULT 0,
    unchanged INTEGER NOT NULL DEFAULT 0,
    superseded INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX run_of_pipeline ON run (pipeline);

-- One bit per place that has been counted in the run's ledger; a row has 4,096 of them.
CREATE TABLE place (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    chunk INTEGER NOT NULL,
    bits BLOB NOT NULL,
    PRIMARY KEY (run, chunk)
) STRICT, WITHOUT ROWID;

-- `applied_checksum` is NULL where it equals `wanted_checksum`: nearly always, and 32 bytes less per record.
-- `stage`: 0 claimed and not known otherwise, 1 outstanding, 2 applied, 3 dead. `since` is set while outstanding.
-- `wanted_image` is what the source calls the record's image; NULL where it has none.
CREATE TABLE record (
    pipeline INTEGER NOT NULL REFERENCES pipeline (id),
    key TEXT NOT NULL,
    stage INTEGER NOT NULL,
    dirty INTEGER NOT NULL,
    wanted_epoch INTEGER,
    wanted_sequence INTEGER,
    wanted_checksum BLOB,
    wanted_image TEXT,
    run INTEGER,
    place INTEGER,
    since TEXT,
    applied_epoch INTEGER,
    applied_sequence INTEGER,
    applied_checksum BLOB,
    sink_id TEXT,
    started INTEGER,
    started_epoch INTEGER,
    started_sequence INTEGER,
    PRIMARY KEY (pipeline, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_outstanding ON record (pipeline, wanted_epoch, wanted_sequence) WHERE stage = 1;

-- Images of records that stand in the sink. `stage` and `since` as above. `reference` is NULL where the source has no
-- image any more; `applied_reference` is NULL where it equals `reference` (stage 2), or where nothing is applied.
-- `hash` is the sha256 of the applied image's bytes, `retry_at` is in Unix milliseconds.
CREATE TABLE image (
    pipeline INTEGER NOT NULL REFERENCES pipeline (id),
    key TEXT NOT NULL,
    stage INTEGER NOT NULL,
    wanted_epoch INTEGER,
    wanted_sequence INTEGER,
    reference TEXT,
    sink_id TEXT,
    run INTEGER,
    since TEXT,
    attempt INTEGER,
    retry_at INTEGER,
    failures TEXT,
    applied_reference TEXT,
    hash BLOB,
    started INTEGER,
    started_epoch INTEGER,
    started_sequence INTEGER,
    PRIMARY KEY (pipeline, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_outstanding ON image (pipeline, wanted_epoch, wanted_sequence, retry_at) WHERE stage = 1;
CREATE INDEX image_retry ON image (pipeline, retry_at) WHERE stage = 1 AND retry_at IS NOT NULL;

-- `kind`: record or image. A replaced letter gets a new id: the order of ids is the order of time.
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipeline INTEGER NOT NULL REFERENCES pipeline (id),
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    letter TEXT NOT NULL,
    UNIQUE (pipeline, kind, key)
) STRICT;
CREATE INDEX dead_letter_of_pipeline ON dead_letter (pipeline);

CREATE TABLE memo (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;
