-- One row per message type seen; its counters are maintained by the transaction that changes what they count.
CREATE TABLE kind (
    id             INTEGER PRIMARY KEY,
    name           TEXT    NOT NULL UNIQUE,
    identities     INTEGER NOT NULL DEFAULT 0,
    tests          INTEGER NOT NULL DEFAULT 0,  -- identities of the console's test push; not in identities
    statements     INTEGER NOT NULL DEFAULT 0,
    first_received INTEGER NOT NULL,
    last_received  INTEGER NOT NULL             -- repeats included
) STRICT;

-- Which way receipts came: a queue, a path, a file, an action.
CREATE TABLE road (
    id     INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    origin TEXT NOT NULL,
    UNIQUE (source, origin)
) STRICT;

-- The log: one row per distinct statement. Instants are UTC milliseconds, days are Beijing days since 1970-01-01.
-- id1 to id4 are the parts of the identity, the one at position `lead` first, so that one b-tree finds biz_id and
-- call_id too. An absent part of the key is '' (-1 for reported_at), never NULL: NULLs would not collide.
CREATE TABLE statement (
    seq         INTEGER PRIMARY KEY,            -- grows in commit order; last_seq in `counter` never goes back
    kind        INTEGER NOT NULL REFERENCES kind,
    lead        INTEGER NOT NULL,
    parts       INTEGER NOT NULL,
    id1         TEXT    NOT NULL,
    id2         TEXT    NOT NULL,
    id3         TEXT    NOT NULL,
    id4         TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    reported_at INTEGER NOT NULL,
    detail      TEXT    NOT NULL,
    sent_at     INTEGER NOT NULL,               -- -1 where there is none
    received_at INTEGER NOT NULL,
    day         INTEGER NOT NULL,               -- of sent_at, else reported_at, else received_at
    phone       TEXT    NOT NULL,
    biz_id      TEXT    NOT NULL,
    out_id      TEXT    NOT NULL,
    call_id     TEXT    NOT NULL,
    road        INTEGER NOT NULL REFERENCES road,
    times_seen  INTEGER NOT NULL,
    signed      INTEGER NOT NULL,               -- 1: at least one source that proved to be the provider said it
    current     INTEGER NOT NULL,               -- 1: the state of its identity
    conflict    INTEGER NOT NULL,               -- 1: settled outcomes of its identity differ, and this is one of them
    test        INTEGER NOT NULL,
    native      INTEGER NOT NULL,               -- 0: the body shown is a query's answer
    digest      BLOB    NOT NULL,               -- SHA-256 of body
    body        BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX statement_key ON statement (id1, id2, id3, id4, kind, outcome, code, reported_at, detail);
CREATE INDEX statement_day ON statement (day, kind);
CREATE INDEX statement_out_id ON statement (out_id) WHERE out_id <> '';
-- What is rare, so that it is found without reading what is common.
CREATE INDEX statement_outcome ON statement (outcome) WHERE outcome NOT IN ('', 'delivered', 'connected');
CREATE INDEX statement_code ON statement (code) WHERE code NOT IN ('', 'DELIVERED', '16');
CREATE INDEX statement_biz_id ON statement (biz_id) WHERE biz_id <> '' AND biz_id <> id1;
CREATE INDEX statement_call_id ON statement (call_id) WHERE call_id <> '' AND call_id <> id1;
CREATE INDEX statement_conflict ON statement (conflict) WHERE conflict = 1;

-- Further distinct bodies of a statement; the one it shows is in the statement itself.
CREATE TABLE body (
    seq    INTEGER NOT NULL REFERENCES statement,
    digest BLOB    NOT NULL,
    native INTEGER NOT NULL,
    body   BLOB    NOT NULL,
    PRIMARY KEY (seq, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE reject (
    n           INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,        -- hex SHA-256 of the kind, a NUL and the bytes
    kind        TEXT    NOT NULL,               -- '' where neither origin nor fields told
    road        INTEGER NOT NULL REFERENCES road,
    reason      TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    times_seen  INTEGER NOT NULL,
    body        BLOB    NOT NULL
) STRICT;

-- Receiving runs that have not said goodbye.
CREATE TABLE run (
    id    INTEGER PRIMARY KEY,
    queue TEXT    NOT NULL,
    pid   INTEGER NOT NULL,
    born  TEXT    NOT NULL,                     -- when that process began, as its system tells it: pids are used again
    hidden_until INTEGER NOT NULL               -- by the host's clock, of a run that ended clean; 0 while it runs
) STRICT;

-- The phones of all statements up to counter.phones_to. Numbers come in no order, so that each would cost a page of
-- its own in every commit; thousands of them, sorted, share pages.
CREATE TABLE phone (
    phone TEXT    NOT NULL,
    seq   INTEGER NOT NULL REFERENCES statement,
    PRIMARY KEY (phone, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
    last_seq  INTEGER NOT NULL,
    phones_to INTEGER NOT NULL
) STRICT;
INSERT INTO counter VALUES (0, 0);
