-- The ledger: what was sent, one row per message. Whether its receipt came is in `statement`; `settled` only spares
-- looking there again: 1 is never wrong, 0 may be behind (see settle in sends.py). Rows are asked for by day, so those
-- of a day stand together in the order of the statements' key.
CREATE TABLE send (
    biz_id        TEXT    NOT NULL,
    phone         TEXT    NOT NULL,
    day           INTEGER NOT NULL,             -- Beijing day since 1970-01-01
    sent_at       INTEGER NOT NULL,             -- -1 where only the day is known
    out_id        TEXT    NOT NULL,
    template_code TEXT    NOT NULL,
    sign_name     TEXT    NOT NULL,
    parts         INTEGER NOT NULL,             -- billed parts; -1 where they are not known
    settled       INTEGER NOT NULL,             -- 1: a final receipt is there
    asked_at      INTEGER NOT NULL DEFAULT -1,  -- when the provider was last asked
    answer        TEXT    NOT NULL DEFAULT '',  -- and what it said
    PRIMARY KEY (biz_id, phone)
) STRICT, WITHOUT ROWID;

CREATE INDEX send_day ON send (settled, day, biz_id, phone);
CREATE INDEX send_phone ON send (phone, day);
CREATE INDEX send_out_id ON send (out_id) WHERE out_id <> '';

-- Comparisons that have not come to their end: a run that was killed is taken up where it stopped.
CREATE TABLE comparison (
    first_day INTEGER NOT NULL,
    last_day  INTEGER NOT NULL,
    began_at  INTEGER NOT NULL,
    PRIMARY KEY (first_day, last_day)
) STRICT, WITHOUT ROWID;

ALTER TABLE counter ADD COLUMN sends INTEGER NOT NULL DEFAULT 0;
