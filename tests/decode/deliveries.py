"""Deliveries for tests, and one real message of the kind that matters most."""

from smsreceipt.model import Delivery, Instant, Kind, Source

SMS_REPORT = Kind("SmsReport")

#: As the provider sends it: flat, compact, Chinese in the clear.
REPORT = (
    '{"phone_number":"13800000001","send_time":"2026-11-20 15:49:55","report_time":"2026-11-20 15:49:58",'
    '"success":true,"err_code":"DELIVERED","err_msg":"用户接收成功","sms_size":"1",'
    '"biz_id":"900619746936498440^0","out_id":"67890"}'
).encode()


def delivery(
    *frames: bytes,
    kind: Kind | None = SMS_REPORT,
    source: Source = Source.MNS,
    damaged: frozenset[int] = frozenset(),
) -> Delivery:
    return Delivery(frames, kind, source, "a-test", Instant(1_790_000_000_000), damaged=damaged)
