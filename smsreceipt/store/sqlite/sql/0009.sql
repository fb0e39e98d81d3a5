-- Calls, recordings and replies of each Beijing day, counted in advance: all statements with seq <= to_seq are (see
-- store/call_tallies.py).
CREATE TABLE call_tally (
    kind   TEXT    NOT NULL,
    day    INTEGER NOT NULL,
    counts TEXT    NOT NULL,                    -- as JSON: for each view its rows of values and a count
    PRIMARY KEY (kind, day)
) STRICT, WITHOUT ROWID;

-- Kinds and days in which a statement that may be counted has changed or was deleted. Triggers write it.
CREATE TABLE call_change (
    kind TEXT    NOT NULL,
    day  INTEGER NOT NULL,
    mark INTEGER NOT NULL,                      -- another one after every change
    PRIMARY KEY (kind, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE call_state (
    to_seq  INTEGER NOT NULL,
    version TEXT    NOT NULL,                   -- of what reads the bodies
    turn    INTEGER NOT NULL                    -- changes with call_tally
) STRICT;
INSERT INTO call_state VALUES (0, '', 0);
