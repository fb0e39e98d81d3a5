-- A new statement is its identity's state when it is the first about it; else the rule decides afterwards.
-- A repeat changes nothing here; which of the offered seqs were not taken tells the repeats, at no cost where there
-- are none (RETURNING would add a third to every insert).
INSERT INTO statement (
    seq, kind, lead, parts, id1, id2, id3, id4, outcome, code, reported_at, detail,
    sent_at, received_at, day, phone, biz_id, out_id, call_id, road, signed, test, native, digest, body,
    times_seen, conflict, current
) VALUES (
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
    ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,
    1, 0,
    NOT EXISTS (SELECT 1 FROM statement WHERE id1 = ?5 AND id2 = ?6 AND id3 = ?7 AND id4 = ?8 AND kind = ?2)
)
ON CONFLICT (id1, id2, id3, id4, kind, outcome, code, reported_at, detail) DO NOTHING
