-- The rows of tests.bench.look, made by the server. tests.bench.large fills in the names with a dollar sign.
INSERT INTO smsreceipt.statement
SELECT ('x' || encode(substring(sha256(placed), 1, 8), 'hex'))::bit(64)::bigint,
    seq, sent, sent + 3000, $day_0, ((sent + 28800000) / 86400000)::int4,
    CASE WHEN call_id = '' THEN $sms ELSE $call END, $road, 1, -1, -1, true, first, n % 10000 = 2, false, true,
    encode(substring(sha256(identified), 1, 16), 'hex')::uuid,
    encode(substring(sha256(convert_to(outcome, 'UTF8') || nul || convert_to(code, 'UTF8') || nul
                            || convert_to((sent + 3000)::text, 'UTF8') || nul), 1, 16), 'hex')::uuid,
    outcome, code, phone, biz_id, 'order-' || n, call_id, '', call_id,
    CASE WHEN call_id = '' THEN '' ELSE '["FC1","' || call_id || '"]' END, '', '', sha256(body), body
FROM (
    SELECT *, convert_to(format('$body', phone, biz_id, 'order-' || n), 'UTF8') AS body,
        CASE WHEN call_id = '' THEN convert_to(phone, 'UTF8')
             ELSE convert_to('FC1', 'UTF8') || nul || convert_to(call_id, 'UTF8') END AS placed,
        CASE WHEN call_id = '' THEN convert_to(biz_id, 'UTF8') || nul || convert_to(phone, 'UTF8')
             ELSE convert_to('FC1', 'UTF8') || nul || convert_to(call_id, 'UTF8') END AS identified
    FROM (
        SELECT n, seq, first, $day_0 + n * $span / $count AS sent, decode('00', 'hex') AS nul,
            '13' || lpad((n % 999983)::text, 9, '0') AS phone,
            CASE WHEN n % 5 = 0 THEN '' ELSE (900000000 + n) || '^0' END AS biz_id,
            CASE WHEN n % 5 = 0 THEN 'call-' || n ELSE '' END AS call_id,
            CASE WHEN NOT first THEN 'failed' WHEN n % 25 = 0 THEN 'unconnected' WHEN n % 5 = 0 THEN 'connected'
                 WHEN n % 50 = 1 THEN 'failed' ELSE 'delivered' END AS outcome,
            CASE WHEN NOT first THEN $codes[1] WHEN n % 25 = 0 THEN '31' WHEN n % 5 = 0 THEN '16'
                 WHEN n % 50 = 1 THEN $codes[n % 3 + 1] ELSE 'DELIVERED' END AS code
        FROM (
            SELECT n, n + 1 AS seq, true AS first FROM generate_series($low::bigint, $high::bigint - 1) AS n
            UNION ALL
            SELECT n, $count + n / 10000 + 1, false FROM generate_series($low::bigint + 2, $high::bigint - 1, 10000) AS n
        ) AS numbered
    ) AS told
) AS whole;

INSERT INTO smsreceipt.tally
    SELECT kind, 0, count(*) FILTER (WHERE current), 0, count(*), $day_0, $day_0
    FROM smsreceipt.statement GROUP BY kind;

-- The sends of the last third of the days; those of the last day are open, and one in a hundred has no receipt.
INSERT INTO smsreceipt.send
    (place, ident, sent_at, day, parts, settled, biz_id, phone, out_id, template_code, sign_name)
SELECT place, CASE WHEN day = last AND n % 100 = 0 THEN gen_random_uuid() ELSE ident END,
    sent_at, day, 1, day < last, biz_id, phone, out_id, 'SMS_1', 'sign'
FROM (SELECT *, row_number() OVER () AS n FROM smsreceipt.statement) AS told,
    (SELECT max(day) - 1 AS last FROM smsreceipt.statement) AS days
WHERE kind = $sms AND current AND seq > $count::bigint * 2 / 3 AND day <= last;

INSERT INTO smsreceipt.ledger SELECT 0, count(*) FROM smsreceipt.send;

SELECT setval('smsreceipt.seq', (SELECT max(seq) FROM smsreceipt.statement));
