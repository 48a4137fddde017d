-- Events that senders were told are safe, and their way to every target. Times: ms since 1970.

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL UNIQUE,       -- 16 bytes; equal for the same event sent twice
    source TEXT NOT NULL,           -- of [webhooks.NAME]
    object TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,            -- when it happened
    received INTEGER NOT NULL,
    body TEXT                       -- JSON; NULL: erased, its person asked for it
) STRICT;
CREATE INDEX events_of_object ON events (source, object);

-- state: 0 pending, 1 delivered, 2 dead, 3 erased before it was delivered
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    target TEXT NOT NULL,           -- a subscriber's or an action's name
    lane TEXT NOT NULL,             -- source and object: what is kept in order
    at INTEGER NOT NULL,            -- the event's
    state INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0,
    status INTEGER NOT NULL DEFAULT 0,  -- HTTP, of the last attempt; 0: no answer
    error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX deliveries_of_event ON deliveries (event);
CREATE INDEX deliveries_pending ON deliveries (target, lane, at, event) WHERE state = 0;
CREATE INDEX deliveries_dead ON deliveries (target, id) WHERE state = 2;

-- One row for each target and lane with something pending: when to look at it again.
CREATE TABLE lanes (
    target TEXT NOT NULL,
    lane TEXT NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (target, lane)
) STRICT, WITHOUT ROWID;
CREATE INDEX lanes_due ON lanes (target, next);

-- Objects whose person asked to be forgotten: late events of theirs are not kept.
CREATE TABLE forgotten (
    object BLOB PRIMARY KEY,        -- 16 bytes: a keyed digest, which names nobody
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
