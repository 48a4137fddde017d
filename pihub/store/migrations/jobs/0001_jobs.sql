-- Deferred requests and what became of them. Times in Unix seconds, money in nano-USD.

CREATE TABLE jobs (
    id TEXT PRIMARY KEY,            -- job_ and 32 hexadecimal digits
    rid INTEGER NOT NULL,           -- of the request that asked for it; its row in the ledger
    tenant INTEGER NOT NULL,
    key INTEGER NOT NULL,
    route INTEGER NOT NULL,
    protocol TEXT NOT NULL,         -- of the client
    alias TEXT NOT NULL,            -- the model as the client said it
    upstream TEXT NOT NULL,
    model TEXT NOT NULL,
    body BLOB NOT NULL,
    created REAL NOT NULL,
    deadline REAL NOT NULL,
    state TEXT NOT NULL,            -- queued, sending, sent, running, done, failed, cancelled, expired
    batch TEXT NOT NULL DEFAULT '', -- the vendor's id
    sending REAL NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    ended REAL NOT NULL DEFAULT 0,
    result BLOB,                    -- in the client's protocol
    error TEXT NOT NULL DEFAULT '',
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cost INTEGER NOT NULL DEFAULT 0,
    billed INTEGER NOT NULL DEFAULT 0,
    webhook TEXT NOT NULL DEFAULT '',
    told INTEGER NOT NULL DEFAULT 0,         -- 1: delivered, 2: given up
    tell_at REAL NOT NULL DEFAULT 0,
    tell_tries INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX jobs_by_state ON jobs (state, deadline);
CREATE INDEX jobs_by_tenant ON jobs (tenant, created);
CREATE INDEX jobs_by_batch ON jobs (batch) WHERE batch <> '';
