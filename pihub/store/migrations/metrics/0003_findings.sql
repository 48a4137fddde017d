-- What the scanner found. No part of a value is kept.
CREATE TABLE findings (
    id INTEGER PRIMARY KEY,         -- random, 63 bits
    ts INTEGER NOT NULL,            -- ns since 1970
    tenant INTEGER NOT NULL,
    points INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    kind TEXT NOT NULL,
    place TEXT NOT NULL,
    field TEXT NOT NULL,
    rule TEXT NOT NULL,
    path TEXT NOT NULL,
    offset INTEGER NOT NULL
) STRICT;
CREATE INDEX findings_by_time ON findings (ts);

CREATE TABLE finding_cursors (
    boot INTEGER NOT NULL,
    ring INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (boot, ring)
) STRICT, WITHOUT ROWID;
