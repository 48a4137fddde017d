-- Limits in nano-USD, 0: none. `name`: "" for the hub, a number's text for tenants and keys.
CREATE TABLE budgets (
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    day_nano INTEGER NOT NULL,
    month_nano INTEGER NOT NULL,
    soft_percent INTEGER NOT NULL,
    at_limit TEXT NOT NULL,
    changed INTEGER NOT NULL,       -- unix seconds
    UNIQUE (scope, name)
) STRICT;

-- What was approved beyond a limit, for one day or one month (numbers of shared/budgets.py).
CREATE TABLE budget_extras (
    id INTEGER PRIMARY KEY,
    budget INTEGER NOT NULL REFERENCES budgets (id) ON DELETE CASCADE,
    period TEXT NOT NULL,           -- day or month
    span INTEGER NOT NULL,
    nano INTEGER NOT NULL,
    by TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX budget_extras_of ON budget_extras (budget, span);
