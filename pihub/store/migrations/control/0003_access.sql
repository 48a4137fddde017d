-- People and programs that may act in the control plane, and the log of what they did.

ALTER TABLE tenants ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;     -- unix seconds, 0: not
ALTER TABLE tenants ADD COLUMN requests_per_minute INTEGER NOT NULL DEFAULT 0;  -- 0: no quota
ALTER TABLE tenants ADD COLUMN models TEXT NOT NULL DEFAULT 'null';     -- JSON list, null: all
ALTER TABLE tenants ADD COLUMN apis TEXT NOT NULL DEFAULT 'null';

ALTER TABLE keys ADD COLUMN user INTEGER NOT NULL DEFAULT 0;            -- whose key; 0: nobody's
ALTER TABLE keys ADD COLUMN scope TEXT NOT NULL DEFAULT '{}';           -- JSON, security/scope.py
ALTER TABLE keys ADD COLUMN successor INTEGER NOT NULL DEFAULT 0;       -- made by a rotation

-- When a key was last seen: a table of its own, so that the keys' version does not move.
CREATE TABLE key_use (
    key INTEGER PRIMARY KEY REFERENCES keys (id),
    at INTEGER NOT NULL
) STRICT;

-- One number that moves with every change of a key or a tenant, by whichever process.
CREATE TABLE key_version (n INTEGER NOT NULL) STRICT;
INSERT INTO key_version VALUES (1);
CREATE TRIGGER key_made AFTER INSERT ON keys BEGIN UPDATE key_version SET n = n + 1; END;
CREATE TRIGGER key_changed AFTER UPDATE ON keys BEGIN UPDATE key_version SET n = n + 1; END;
CREATE TRIGGER tenant_changed AFTER UPDATE ON tenants BEGIN UPDATE key_version SET n = n + 1; END;

CREATE TABLE roles (
    name TEXT PRIMARY KEY,
    permissions TEXT NOT NULL           -- JSON list
) STRICT;

-- Groups that an identity provider tells of, and the role that they give.
CREATE TABLE role_groups (
    issuer TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (issuer, name)
) STRICT;

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer TEXT NOT NULL,               -- 'local', or the identity provider's URL
    subject TEXT NOT NULL,              -- local: the name that is typed
    name TEXT NOT NULL,                 -- for people
    role TEXT NOT NULL,
    tenant INTEGER REFERENCES tenants (id),     -- NULL: all
    password TEXT NOT NULL DEFAULT '',  -- argon2id, encoded; '': no login by password
    totp BLOB,                          -- NULL: no second factor
    totp_step INTEGER NOT NULL DEFAULT 0,       -- the last step that was used
    created INTEGER NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0,
    last_login INTEGER NOT NULL DEFAULT 0,
    UNIQUE (issuer, subject)
) STRICT;

CREATE TABLE recovery_codes (
    user INTEGER NOT NULL REFERENCES users (id),
    hash BLOB NOT NULL,
    PRIMARY KEY (user, hash)
) STRICT;

-- Where a user has logged in from: a lock-out of the account does not hold there.
CREATE TABLE known_sources (
    user INTEGER NOT NULL REFERENCES users (id),
    source TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (user, source)
) STRICT;

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,          -- of the cookie's value
    user INTEGER NOT NULL REFERENCES users (id),
    created INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    source TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user);

CREATE TABLE setup_links (
    hash BLOB PRIMARY KEY,
    ends INTEGER NOT NULL
) STRICT;

-- Append only: a row is never changed, and each holds the hash of the one before.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,                -- unix nanoseconds
    actor TEXT NOT NULL,
    source TEXT NOT NULL,
    tenant INTEGER,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    result TEXT NOT NULL,
    before TEXT NOT NULL,               -- JSON, secrets left out
    after TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'append only'); END;
