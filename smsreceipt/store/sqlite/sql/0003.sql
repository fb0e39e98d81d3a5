-- Files that are being replayed, and how far: a run that was cut off is taken up there. Those that were read to their end
-- have no row.
CREATE TABLE replay (
    file     TEXT    PRIMARY KEY,
    reached  INTEGER NOT NULL,                  -- in bytes, unpacked
    mark     TEXT    NOT NULL                   -- digest of the bytes before that place
) STRICT, WITHOUT ROWID;
