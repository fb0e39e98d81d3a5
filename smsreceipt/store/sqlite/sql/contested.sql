-- The new statements whose identity has other statements, older or as new: the state of that identity must be decided.
-- Every other new statement is the state of its identity.
SELECT seq FROM statement AS fresh WHERE seq > ? AND EXISTS (
    SELECT 1 FROM statement AS other
    WHERE other.id1 = fresh.id1 AND other.id2 = fresh.id2 AND other.id3 = fresh.id3 AND other.id4 = fresh.id4
      AND other.kind = fresh.kind AND other.seq <> fresh.seq
)
