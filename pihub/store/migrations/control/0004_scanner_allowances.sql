-- What the scanner lets pass although it finds it: exactly this path, place, field and rule.
CREATE TABLE scanner_allowances (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    place TEXT NOT NULL,
    field TEXT NOT NULL,
    rule TEXT NOT NULL,
    by TEXT NOT NULL,
    at INTEGER NOT NULL,            -- unix seconds
    UNIQUE (path, place, field, rule)
) STRICT;
