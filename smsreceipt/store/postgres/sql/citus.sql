-- Distributes the tables of a smsreceipt store over the workers of a Citus cluster. Run it once, as the owner of the
-- tables, on the coordinator, while nothing uses the store:
--
--     smsreceipt --store postgresql://OWNER@COORDINATOR/DATABASE store upgrade
--     smsreceipt store citus-sql | psql -v ON_ERROR_STOP=1 "postgresql://OWNER@COORDINATOR/DATABASE"
--
-- It takes Citus 12 or newer. All pullers, listeners and readers connect to the coordinator, also afterwards: the locks
-- that order their writes are held there. The number of shards cannot be changed cheaply: 32 suit up to 8 workers of 4
-- cores; set it for the largest cluster that you expect.
BEGIN;

SET LOCAL citus.shard_count = 32;

-- All about one phone number is on one shard: its receipts, its answers of queries, its sends. So look-ups of a number,
-- the comparison of sends with receipts, and the attribution of answers need one shard each.
SELECT create_distributed_table('smsreceipt.statement', 'place', colocate_with => 'none');
SELECT create_distributed_table('smsreceipt.body', 'place', colocate_with => 'smsreceipt.statement');
SELECT create_distributed_table('smsreceipt.send', 'place', colocate_with => 'smsreceipt.statement');
SELECT create_distributed_table('smsreceipt.tie', 'place', colocate_with => 'smsreceipt.statement');
SELECT create_distributed_table('smsreceipt.reject', 'place', colocate_with => 'smsreceipt.statement');

-- Small, seldom written and joined with the others: a copy on every worker.
SELECT create_reference_table('smsreceipt.kind');
SELECT create_reference_table('smsreceipt.road');

-- The rest stays on the coordinator: meta, tally, ledger, comparison, replay, note, writer, lease, day_tally,
-- tally_state, tally_change, call_tally, call_state, call_change, and the sequence.

-- A transaction on several workers is committed in two phases. Where the second one fails on a worker that was away, the
-- lock on the coordinator is gone, and the rows appear up to a minute later. So nothing is shown above the horizon until
-- the transactions that were prepared on the workers when it was read have ended; those that were prepared later hold a
-- lock that it has seen, or took larger seqs.
CREATE FUNCTION smsreceipt.prepared() RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    -- NULL if a worker cannot be asked.
    RETURN (SELECT CASE WHEN bool_and(success) IS NOT false
                        THEN coalesce(array_agg(each.gid) FILTER (WHERE each.gid <> ''), '{}') END
            FROM run_command_on_workers($command$
                     SELECT coalesce(string_agg(gid, ' '), '') FROM pg_prepared_xacts
                     WHERE gid LIKE 'citus\_%' AND database = current_database()
                 $command$) AS worker
            LEFT JOIN LATERAL unnest(string_to_array(worker.result, ' ')) AS each (gid) ON worker.success);
END $$;

CREATE OR REPLACE FUNCTION smsreceipt.horizon() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    top   bigint;
    low   bigint;
    left_ text[];
    now_  text[];
BEGIN
    SELECT last_value - 1 + is_called::int INTO top FROM smsreceipt.seq;
    SELECT min((classid::bigint << 32 | objid::bigint) & ~(1::bigint << 62)) INTO low FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint BETWEEN 1 << 30 AND (1::bigint << 31) - 1
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
    FOR turn IN 1..100 LOOP
        now_ := smsreceipt.prepared();
        left_ := CASE WHEN now_ IS NULL OR left_ IS NULL THEN now_
                      ELSE ARRAY(SELECT unnest(left_) INTERSECT SELECT unnest(now_)) END;
        IF cardinality(left_) = 0 THEN
            RETURN least(top, low - 1);
        END IF;
        PERFORM pg_sleep(0.05);
    END LOOP;
    RAISE EXCEPTION 'transactions on the workers have not ended' USING ERRCODE = 'SR002';
END $$;

-- With the shards on the workers.
CREATE OR REPLACE FUNCTION smsreceipt.size() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(citus_total_relation_size(('smsreceipt.' || name)::regclass))::bigint
    FROM unnest(ARRAY['statement', 'body', 'send', 'tie', 'reject']) AS name
$$;
COMMIT;
