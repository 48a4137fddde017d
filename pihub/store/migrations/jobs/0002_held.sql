-- What is held for a job that is being sent, and when one that must wait is looked at again.

ALTER TABLE jobs ADD COLUMN held INTEGER NOT NULL DEFAULT 0;    -- nano-USD, of the budgets
ALTER TABLE jobs ADD COLUMN after REAL NOT NULL DEFAULT 0;      -- not before that
