-- The new statements about an identity that others, older or as new, are about too: which of them is the state must be
-- decided. All others are their identity's state at once.
SELECT seq FROM statement AS fresh WHERE seq > ? AND EXISTS (
    SELECT 1 FROM statement AS other
    WHERE other.id1 = fresh.id1 AND other.id2 = fresh.id2 AND other.id3 = fresh.id3 AND other.id4 = fresh.id4
      AND other.kind = fresh.kind AND other.seq <> fresh.seq
)
