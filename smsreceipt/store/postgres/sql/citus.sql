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

-- The rest stays on the coordinator: meta, tally, comparison, replay, note, writer, lease, and the sequence.
COMMIT;
