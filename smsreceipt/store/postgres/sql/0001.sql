-- One store a database, in a schema of its own. Every name is written with its schema: no search_path is relied on.
-- Every unique key holds `place`, or is of a small table, so that the large tables can be distributed by it.
CREATE SEQUENCE smsreceipt.seq;

-- One row per message type seen, and per way in which receipts came: a queue, a path, a file, an action. The keys are
-- digests, because names may be longer than an index takes.
CREATE TABLE smsreceipt.kind (
    id   integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    key  uuid    NOT NULL UNIQUE,
    name text    COLLATE "C" NOT NULL
);
CREATE TABLE smsreceipt.road (
    id     integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    key    uuid    NOT NULL UNIQUE,
    source text    NOT NULL,
    origin text    NOT NULL
);

-- Counters of the statements of each kind, in slots, so that writers do not queue for one row. Their sums count.
CREATE TABLE smsreceipt.tally (
    kind           integer  NOT NULL,
    slot           smallint NOT NULL,
    identities     bigint   NOT NULL,
    tests          bigint   NOT NULL,            -- identities of the console's test push; not in identities
    statements     bigint   NOT NULL,
    first_received bigint,                       -- NULL in a slot that has seen none
    last_received  bigint,                       -- repeats included
    PRIMARY KEY (kind, slot)
) WITH (fillfactor = 50);

-- The log: one row per distinct statement. Instants are UTC milliseconds, days are Beijing days since 1970-01-01. What
-- is absent is '' or -1: NULLs would cost a bitmap in every row, and would not collide in a key.
CREATE TABLE smsreceipt.statement (
    place        bigint  NOT NULL,               -- of SHA-256 of the phone, where the identity has it; else of all parts
    seq          bigint  NOT NULL,
    sent_at      bigint  NOT NULL,
    reported_at  bigint  NOT NULL,
    received_at  bigint  NOT NULL,
    day          integer NOT NULL,               -- of sent_at, else reported_at, else received_at
    kind         integer NOT NULL,
    road         integer NOT NULL,
    times_seen   integer NOT NULL,
    billed_parts integer NOT NULL,
    talk_seconds integer NOT NULL,
    signed       boolean NOT NULL,               -- at least one source that proved to be the provider said it
    current      boolean NOT NULL,               -- the state of its identity
    conflict     boolean NOT NULL,               -- settled outcomes of its identity differ, and this is one of them
    test         boolean NOT NULL,
    native       boolean NOT NULL,               -- false: the body shown is a query's answer
    ident        uuid    NOT NULL,               -- of SHA-256 of the identity's parts
    said         uuid    NOT NULL,               -- of SHA-256 of outcome, code, reported_at and detail
    outcome      text    COLLATE "C" NOT NULL,
    code         text    COLLATE "C" NOT NULL,
    phone        text    COLLATE "C" NOT NULL,
    biz_id       text    COLLATE "C" NOT NULL,
    out_id       text    COLLATE "C" NOT NULL,
    call_id      text    COLLATE "C" NOT NULL,
    detail       text    COLLATE "C" NOT NULL,
    id1          text    COLLATE "C" NOT NULL,   -- the leading part of the identity; '' where `identity` is
    identity     text    COLLATE "C" NOT NULL,   -- as a JSON array; '' where it is [biz_id, phone]
    numbers      text    COLLATE "C" NOT NULL,
    unread       text    COLLATE "C" NOT NULL,
    digest       bytea   NOT NULL,               -- SHA-256 of body
    body         bytea   NOT NULL
);
-- One state for each identity, whatever a program does: the row of the state is also the lock of its identity.
CREATE UNIQUE INDEX statement_state ON smsreceipt.statement (place, ident, kind) WHERE current;
CREATE UNIQUE INDEX statement_rest ON smsreceipt.statement (place, ident, kind, said) WHERE NOT current;
CREATE INDEX statement_seq ON smsreceipt.statement (seq);
CREATE INDEX statement_day ON smsreceipt.statement (day, kind, seq);
-- The first 200 characters of a text: an index takes no more than 2,700 bytes, a receipt may have a mebibyte.
CREATE INDEX statement_biz_id ON smsreceipt.statement (left(biz_id, 200)) WHERE biz_id <> '';
CREATE INDEX statement_out_id ON smsreceipt.statement (left(out_id, 200)) WHERE out_id <> '';
CREATE INDEX statement_call_id ON smsreceipt.statement (left(call_id, 200)) WHERE call_id <> '';
CREATE INDEX statement_id1 ON smsreceipt.statement (left(id1, 200)) WHERE id1 <> '';
-- Statements whose place is not that of their phone, by each of their numbers.
CREATE INDEX statement_numbers ON smsreceipt.statement
    USING gin (string_to_array(left(phone || ' ' || numbers, 600), ' ')) WHERE identity <> '';
-- What is rare, so that it is found without reading what is common.
CREATE INDEX statement_conflict ON smsreceipt.statement (seq) WHERE conflict;
CREATE INDEX statement_outcome ON smsreceipt.statement (outcome, seq)
    WHERE outcome NOT IN ('', 'delivered', 'connected');
CREATE INDEX statement_code ON smsreceipt.statement (left(code, 200), seq) WHERE code NOT IN ('', 'DELIVERED', '16');

-- Further distinct bodies of a statement; the one it shows is in the statement itself.
CREATE TABLE smsreceipt.body (
    place  bigint  NOT NULL,
    seq    bigint  NOT NULL,
    digest bytea   NOT NULL,
    native boolean NOT NULL,
    body   bytea   NOT NULL,
    PRIMARY KEY (place, seq, digest)
);

CREATE TABLE smsreceipt.reject (
    place       bigint  NOT NULL,                -- of its id
    n           bigint  NOT NULL,                -- grows with the time of arrival
    id          text    COLLATE "C" NOT NULL,    -- hex SHA-256 of the kind, a NUL and the bytes
    kind        text    NOT NULL,                -- '' where neither origin nor fields told
    road        integer NOT NULL,
    reason      text    NOT NULL,
    received_at bigint  NOT NULL,
    times_seen  integer NOT NULL,
    body        bytea   NOT NULL,
    PRIMARY KEY (place, id)
);

-- The ledger: what was sent, one row per message. `settled` only spares looking for the receipt again: true is never
-- wrong, false may be behind.
CREATE TABLE smsreceipt.send (
    place         bigint  NOT NULL,              -- of its phone
    ident         uuid    NOT NULL,              -- of [biz_id, phone], as in `statement`
    sent_at       bigint  NOT NULL,              -- -1 where only the day is known
    asked_at      bigint  NOT NULL DEFAULT -1,   -- when the provider was last asked
    day           integer NOT NULL,
    parts         integer NOT NULL,              -- billed parts; -1 where they are not known
    settled       boolean NOT NULL,
    biz_id        text    COLLATE "C" NOT NULL,
    phone         text    COLLATE "C" NOT NULL,
    out_id        text    COLLATE "C" NOT NULL,
    template_code text    COLLATE "C" NOT NULL,
    sign_name     text    COLLATE "C" NOT NULL,
    answer        text    COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (place, ident)
);
CREATE INDEX send_day ON smsreceipt.send (settled, day);
CREATE INDEX send_biz_id ON smsreceipt.send (left(biz_id, 200), left(phone, 40));
CREATE INDEX send_out_id ON smsreceipt.send (left(out_id, 200)) WHERE out_id <> '';
-- How many sends there are, in slots, so that writers do not queue for one row.
CREATE TABLE smsreceipt.ledger (
    slot  smallint PRIMARY KEY,
    sends bigint   NOT NULL
) WITH (fillfactor = 50);

-- Answers of a query that are some send's: which statement (SendDetail) is a witness of which (SmsReport).
CREATE TABLE smsreceipt.tie (
    place  bigint  NOT NULL,                     -- of the phone
    detail bigint  NOT NULL,                     -- seq of the SendDetail, which is no state of its own any more
    report bigint  NOT NULL,                     -- seq of what it says about the send
    made   boolean NOT NULL,                     -- nobody else says so: that statement was made for it
    signed boolean NOT NULL,                     -- it brought the signature
    PRIMARY KEY (place, detail)
);
CREATE INDEX tie_report ON smsreceipt.tie (place, report);

-- Comparisons that have not come to their end, and files that are being replayed.
CREATE TABLE smsreceipt.comparison (
    first_day integer NOT NULL,
    last_day  integer NOT NULL,
    began_at  bigint  NOT NULL,
    PRIMARY KEY (first_day, last_day)
);
CREATE TABLE smsreceipt.replay (
    key     uuid   PRIMARY KEY,
    file    text   NOT NULL,
    reached bigint NOT NULL,                     -- in bytes, unpacked
    mark    text   NOT NULL                      -- digest of the bytes before that place
);

-- Open stores that write, and the number of the last transaction that each has committed: after a lost connection it
-- tells whether that transaction was. Times are the server's, in milliseconds.
CREATE TABLE smsreceipt.writer (
    id      uuid   PRIMARY KEY,
    host    text   NOT NULL,
    batch   bigint NOT NULL,
    seen_at bigint NOT NULL
) WITH (fillfactor = 20);

-- Small state of commands: which alarms are firing, how far receipts are handed on. The texts are JSON.
CREATE TABLE smsreceipt.note (
    topic text NOT NULL,
    name  text NOT NULL,
    text  text NOT NULL,
    PRIMARY KEY (topic, name)
);

-- Consumers of queues that were not shut down cleanly yet, or left messages invisible.
CREATE TABLE smsreceipt.lease (
    id           bigint  PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    queue        text    NOT NULL,
    process      text    NOT NULL,               -- on its host: the namespace, the pid, when it began
    seen_at      bigint  NOT NULL,               -- 0: shut down cleanly
    hidden_until bigint  NOT NULL                -- of a consumer that ended clean; 0 while it runs
);

-- Messages of each Beijing day, counted in advance: all statements with seq <= to_seq are (see store/tallies.py).
CREATE TABLE smsreceipt.day_tally (
    view     integer NOT NULL,                   -- which of the columns after the day are told; the others are '' or -1
    day      integer NOT NULL,
    kind     text    COLLATE "C" NOT NULL,
    hour     integer NOT NULL,
    outcome  text    COLLATE "C" NOT NULL,
    code     text    COLLATE "C" NOT NULL,
    carrier  text    COLLATE "C" NOT NULL,
    province text    COLLATE "C" NOT NULL,
    seconds  bigint  NOT NULL,
    messages bigint  NOT NULL,
    parts    bigint  NOT NULL,
    untold   bigint  NOT NULL                    -- messages that do not tell their parts
);
-- A code may be longer than an index takes.
CREATE UNIQUE INDEX day_tally_key ON smsreceipt.day_tally
    (view, day, kind, hour, outcome, md5(code), carrier, province, seconds);
CREATE TABLE smsreceipt.tally_state (
    to_seq bigint NOT NULL,
    aim    bigint NOT NULL,                      -- changes of statements with seq <= aim are noted
    turn   bigint NOT NULL,                      -- changes with day_tally
    place  text   NOT NULL
);
INSERT INTO smsreceipt.tally_state VALUES (0, 0, 0, '');
-- What has changed in statements with seq <= aim and is not in day_tally yet: they as they were, with sign -1, and as
-- they are, with sign 1.
CREATE TABLE smsreceipt.tally_change (
    id           bigint  PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    seq          bigint  NOT NULL,
    sign         integer NOT NULL,
    kind         integer NOT NULL,
    day          integer NOT NULL,
    sent_at      bigint  NOT NULL,
    reported_at  bigint  NOT NULL,
    outcome      text    COLLATE "C" NOT NULL,
    code         text    COLLATE "C" NOT NULL,
    prefix       text    COLLATE "C" NOT NULL,   -- of the phone: the first 7 digits of a number of the mainland
    billed_parts integer NOT NULL
);

-- Calls, recordings and replies of each Beijing day, counted in advance: all statements with seq <= to_seq are (see
-- store/call_tallies.py).
CREATE TABLE smsreceipt.call_tally (
    kind   text    COLLATE "C" NOT NULL,
    day    integer NOT NULL,
    counts text    COLLATE "C" NOT NULL,         -- as JSON: for each view its rows of values and a count
    PRIMARY KEY (kind, day)
);
CREATE TABLE smsreceipt.call_state (
    to_seq  bigint NOT NULL,
    version text   NOT NULL,                     -- of what reads the bodies
    turn    bigint NOT NULL                      -- changes with call_tally
);
INSERT INTO smsreceipt.call_state VALUES (0, '', 0);
-- Kinds and days in which a statement that may be counted has changed or was deleted.
CREATE TABLE smsreceipt.call_change (
    id   bigint  PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind text    COLLATE "C" NOT NULL,
    day  integer NOT NULL
);

CREATE FUNCTION smsreceipt.now_ms() RETURNS bigint LANGUAGE sql AS
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint';

-- Begins a writing transaction: counts it, bounds its waits, and hands out ascending seqs. `alone`: no other writer may
-- be at work. Raises SR001 where the transaction was counted already, or the writer is not known.
-- A shared lock whose key is a lower bound of the seqs is held to the end of the transaction; see horizon().
CREATE FUNCTION smsreceipt.begin_write(
    me uuid, number bigint, seqs integer, alone boolean, wait_ms integer,
    OUT first_seqs bigint[], OUT has_details boolean, OUT has_sends boolean, OUT version integer, OUT turn text
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', wait_ms::text, true), set_config('jit', 'off', true),
            set_config('idle_in_transaction_session_timeout', '30s', true);
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    UPDATE smsreceipt.writer SET batch = number, seen_at = smsreceipt.now_ms() WHERE id = me AND batch = number - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this transaction was counted already' USING ERRCODE = 'SR001';
    END IF;
    IF alone THEN
        PERFORM pg_advisory_xact_lock(1936552562, 1);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(1936552562, 1);
    END IF;
    IF seqs > 0 OR alone THEN
        PERFORM pg_advisory_xact_lock_shared((SELECT last_value + is_called::int FROM smsreceipt.seq) | (1::bigint << 62));
        SELECT array_agg(nextval('smsreceipt.seq')) INTO first_seqs FROM generate_series(1, seqs);
    END IF;
    has_details := EXISTS (SELECT FROM smsreceipt.tally JOIN smsreceipt.kind ON kind.id = tally.kind
                           WHERE kind.name = 'SendDetail' GROUP BY kind.id HAVING sum(statements) > 0);
    has_sends := EXISTS (SELECT FROM smsreceipt.send);
    version := (SELECT meta.version FROM smsreceipt.meta);
    turn := (SELECT text FROM smsreceipt.note WHERE topic = 'forget' AND name = 'turn');
END $$;

-- Up to which seq all is visible to a snapshot that is taken after this, and nothing more will come. Two statements, in
-- this order: a writer holds its lock before it takes its seqs.
CREATE FUNCTION smsreceipt.horizon() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    top bigint;
    low bigint;
BEGIN
    SELECT last_value - 1 + is_called::int INTO top FROM smsreceipt.seq;
    SELECT min((classid::bigint << 32 | objid::bigint) & ~(1::bigint << 62)) INTO low FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint BETWEEN 1 << 30 AND (1::bigint << 31) - 1
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
    RETURN least(top, low - 1);
END $$;

-- The bytes of all tables and their indexes.
CREATE FUNCTION smsreceipt.size() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT sum(pg_total_relation_size(pg_class.oid))::bigint
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'smsreceipt' AND relkind = 'r'
$$;
