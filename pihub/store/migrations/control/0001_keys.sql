-- API keys. A key's number is a row of the shared limiter and is never used again.

CREATE TABLE tenants (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,      -- SipHash-2-4-128 of the token, 16 bytes
    hint TEXT NOT NULL,             -- the token's first characters, for people
    flags INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,       -- unix seconds, as the two below
    expires INTEGER NOT NULL DEFAULT 0,     -- 0: never
    revoked INTEGER NOT NULL DEFAULT 0      -- 0: not revoked
) STRICT;
