-- Messages of each Beijing day, counted in advance: all statements with seq <= tally_to are (see store/tallies.py).
CREATE TABLE day_tally (
    view     INTEGER NOT NULL,                  -- which of the columns after the day are told; the others are '' or -1
    day      INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    hour     INTEGER NOT NULL,
    outcome  TEXT    NOT NULL,
    code     TEXT    NOT NULL,
    carrier  TEXT    NOT NULL,
    province TEXT    NOT NULL,
    seconds  INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    parts    INTEGER NOT NULL,
    untold   INTEGER NOT NULL,                  -- messages that do not tell their parts
    PRIMARY KEY (view, day, kind, hour, outcome, code, carrier, province, seconds)
) STRICT, WITHOUT ROWID;

-- What has changed in statements with seq <= tally_aim and is not in day_tally yet: they as they were, with sign -1, and
-- as they are, with sign 1. Triggers write it, so that no program can change a statement without.
CREATE TABLE tally_change (
    id           INTEGER PRIMARY KEY,
    seq          INTEGER NOT NULL,
    sign         INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    day          INTEGER NOT NULL,
    sent_at      INTEGER NOT NULL,
    reported_at  INTEGER NOT NULL,
    outcome      TEXT    NOT NULL,
    code         TEXT    NOT NULL,
    prefix       TEXT    NOT NULL,              -- of the phone: the first 7 digits of a number of the mainland
    billed_parts INTEGER NOT NULL
) STRICT;

ALTER TABLE counter ADD COLUMN tally_to INTEGER NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN tally_aim INTEGER NOT NULL DEFAULT 0;
ALTER TABLE counter ADD COLUMN tally_place TEXT NOT NULL DEFAULT '';
ALTER TABLE counter ADD COLUMN tally_turn INTEGER NOT NULL DEFAULT 0; -- changes with day_tally
