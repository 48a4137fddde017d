-- Health over time: one mean a series and five minutes, and what each pace usually is.

CREATE TABLE health_series (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE health_samples (
    series INTEGER NOT NULL,
    at INTEGER NOT NULL,            -- unix seconds
    value REAL NOT NULL,
    PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE health_baselines (
    upstream TEXT NOT NULL,
    model TEXT NOT NULL,            -- empty: the upstream's latency
    version TEXT NOT NULL,
    whole INTEGER NOT NULL,
    usual REAL NOT NULL,
    spread REAL NOT NULL,
    count INTEGER NOT NULL,
    now REAL NOT NULL,
    at INTEGER NOT NULL,            -- unix seconds of its last change
    PRIMARY KEY (upstream, model, version, whole)
) STRICT, WITHOUT ROWID;
