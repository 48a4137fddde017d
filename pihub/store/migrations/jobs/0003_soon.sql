-- Requests that were queued while the hub was offline are sent one by one, as soon as it is not.

ALTER TABLE jobs ADD COLUMN soon INTEGER NOT NULL DEFAULT 0;
