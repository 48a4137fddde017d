-- Alerts, open and past, and what is silenced. In the control database: they are told once.

CREATE TABLE alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    severity TEXT NOT NULL,
    text TEXT NOT NULL,
    value REAL NOT NULL,
    opened INTEGER NOT NULL,        -- unix seconds, as all times
    closed INTEGER NOT NULL,        -- 0: open
    times INTEGER NOT NULL,         -- how often it opened again soon after its end
    acknowledged INTEGER NOT NULL,
    acknowledged_by TEXT NOT NULL,
    told INTEGER NOT NULL,          -- number of the last word to subscribers, 0: none yet
    told_open INTEGER NOT NULL,     -- whether that word said that it is open
    told_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX alerts_open ON alerts (rule, subject) WHERE closed = 0;

CREATE TABLE alert_silences (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,          -- empty: all of the rule
    until INTEGER NOT NULL,
    by TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
