-- Answers of a query that are some send's: which statement (SendDetail) is a witness of which (SmsReport). Rows follow
-- from the other tables and are made anew whenever those change; see tie.py.
CREATE TABLE tie (
    detail INTEGER PRIMARY KEY,                 -- seq of the SendDetail, which is no state of its own any more
    report INTEGER NOT NULL,                    -- seq of what it says about the send
    phone  TEXT    NOT NULL,
    made   INTEGER NOT NULL,                    -- 1: nobody else says so: that statement was made for it
    signed INTEGER NOT NULL                     -- 1: it brought the signature
) STRICT;

CREATE INDEX tie_phone ON tie (phone);

-- Statements that were made may have to go again. With this constraint each that goes would have all of `phone` read,
-- in which seq is not indexed; SQLite has no other way to drop one but to copy the table.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, ' REFERENCES statement', '') WHERE type = 'table' AND name = 'phone';
PRAGMA writable_schema = RESET;
