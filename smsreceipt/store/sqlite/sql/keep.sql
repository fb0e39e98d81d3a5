-- Many rows a statement: the interpreter lock is released once for all of them instead of once for each, which is most
-- of the cost of an insert while other threads receive. A repeat is counted here, unless it adds a signature or another
-- body. The seqs that are not in the table afterwards tell the repeats.
INSERT INTO statement (/* columns */, times_seen, conflict, current)
SELECT /* values */, 1, 0, 1 FROM (VALUES
    /* rows */
) WHERE true -- an ON after a table would begin a join
ON CONFLICT (id1, id2, id3, id4, kind, outcome, code, reported_at, detail) DO UPDATE SET times_seen = times_seen + 1
WHERE digest = excluded.digest AND signed >= excluded.signed AND native >= excluded.native
