-- Request records, their roll-ups, and how far each ring has been read.

CREATE TABLE names (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- One row a request, in the order of recording. Times in microseconds, money in
-- nano-USD, NULL: unknown. rid and ts are the record's 64-bit words.
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    ts INTEGER NOT NULL,            -- ns since 1970
    rid INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    key INTEGER NOT NULL,
    route INTEGER NOT NULL,
    status INTEGER NOT NULL,
    cache INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    worker INTEGER NOT NULL,
    model INTEGER NOT NULL,         -- names.id, 0: none; as upstream, alias, error
    upstream INTEGER NOT NULL,
    alias INTEGER NOT NULL,
    error INTEGER NOT NULL,
    dur_us INTEGER NOT NULL,
    ttft_us INTEGER NOT NULL,
    inspect_us INTEGER NOT NULL,
    lookup_us INTEGER NOT NULL,
    route_us INTEGER NOT NULL,
    call_us INTEGER NOT NULL,
    render_us INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    in_tok INTEGER NOT NULL,
    out_tok INTEGER NOT NULL,
    cache_read_tok INTEGER NOT NULL,
    cache_write_tok INTEGER NOT NULL,
    cost_nano INTEGER,
    saved_nano INTEGER
) STRICT;

-- A ring's cursor moves in the transaction that stores what was read from it.
CREATE TABLE cursors (
    boot INTEGER NOT NULL,          -- the arena's life, its 64-bit id
    ring INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (boot, ring)
) STRICT, WITHOUT ROWID;

CREATE TABLE totals (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Sums by span (unix minutes, or hours) and by who, what and how. `latency` is a
-- histogram of dur_us, see store/latency.py. `unpriced` counts NULL costs.
CREATE TABLE usage_minute (
    span INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    key INTEGER NOT NULL,
    route INTEGER NOT NULL,
    model INTEGER NOT NULL,
    upstream INTEGER NOT NULL,
    status INTEGER NOT NULL,        -- class: 1 to 5, 0 for 499
    cache INTEGER NOT NULL,
    simulated INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    in_tok INTEGER NOT NULL,
    out_tok INTEGER NOT NULL,
    cache_read_tok INTEGER NOT NULL,
    cache_write_tok INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    saved_nano INTEGER NOT NULL,
    dur_us INTEGER NOT NULL,
    ttft_us INTEGER NOT NULL,
    ttft_count INTEGER NOT NULL,
    latency BLOB NOT NULL,
    PRIMARY KEY (span, tenant, key, route, model, upstream, status, cache, simulated)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_hour (
    span INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    key INTEGER NOT NULL,
    route INTEGER NOT NULL,
    model INTEGER NOT NULL,
    upstream INTEGER NOT NULL,
    status INTEGER NOT NULL,
    cache INTEGER NOT NULL,
    simulated INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    in_tok INTEGER NOT NULL,
    out_tok INTEGER NOT NULL,
    cache_read_tok INTEGER NOT NULL,
    cache_write_tok INTEGER NOT NULL,
    cost_nano INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    saved_nano INTEGER NOT NULL,
    dur_us INTEGER NOT NULL,
    ttft_us INTEGER NOT NULL,
    ttft_count INTEGER NOT NULL,
    latency BLOB NOT NULL,
    PRIMARY KEY (span, tenant, key, route, model, upstream, status, cache, simulated)
) STRICT, WITHOUT ROWID;
