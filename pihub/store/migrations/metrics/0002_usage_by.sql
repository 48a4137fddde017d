-- Sums by one dimension at a time, by minute, hour and day (UTC): what reports read. The
-- tables by everything at once keep the money and the counts, and no histogram any more.

CREATE TABLE usage_by (
    step INTEGER NOT NULL,          -- 0: minutes, 1: hours, 2: days
    span INTEGER NOT NULL,
    dimension INTEGER NOT NULL,     -- place in store/rollup.py's DIMENSIONS
    value INTEGER NOT NULL,
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
    latency BLOB NOT NULL,          -- a histogram of dur_us, see store/latency.py
    PRIMARY KEY (step, span, dimension, value)
) STRICT, WITHOUT ROWID;

ALTER TABLE usage_minute DROP COLUMN latency;
ALTER TABLE usage_hour DROP COLUMN latency;
