-- Many rows a statement: the interpreter lock is given up once for all of them instead of once for each, which is most
-- of what an insert costs while other threads receive. A repeat is counted here, unless it brings a signature or another
-- body; which of the offered seqs were not taken tells the repeats.
INSERT INTO statement (
    seq, kind, lead, parts, id1, id2, id3, id4, outcome, code, reported_at, detail,
    sent_at, received_at, day, phone, biz_id, out_id, call_id, road, signed, test, native, digest, body,
    times_seen, conflict, current
) VALUES
    /* rows */
ON CONFLICT (id1, id2, id3, id4, kind, outcome, code, reported_at, detail) DO UPDATE SET times_seen = times_seen + 1
WHERE digest = excluded.digest AND signed >= excluded.signed AND native >= excluded.native
