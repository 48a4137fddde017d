-- How long a request waited for its turn and for new connections (domain/brief.py), and how
-- often its stream stalled. Small integers: a row without any of it grows by three bytes.
ALTER TABLE requests ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN dialed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN stalls INTEGER NOT NULL DEFAULT 0;
