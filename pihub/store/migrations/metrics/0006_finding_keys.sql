-- Whose key a finding came with; 0: none that is known.
ALTER TABLE findings ADD COLUMN key INTEGER NOT NULL DEFAULT 0;
