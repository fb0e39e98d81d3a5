"""aliyun-python-sdk-dysmsapi asking about missing sends one by one, as its examples do. It stores nothing."""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

from aliyunsdkcore.client import AcsClient
from aliyunsdkdysmsapi.request.v20170525.QuerySendDetailsRequest import QuerySendDetailsRequest


def main() -> None:
    """URL and a file with a JSON list of [phone, yyyyMMdd, BizId]; prints how many had which SendStatus."""
    url, path = sys.argv[1], Path(sys.argv[2])
    client = AcsClient("sandbox", "sandbox-secret", "cn-hangzhou")
    found: Counter[str] = Counter()
    with closing(client.session):
        for phone, day, biz_id in json.loads(path.read_text()):
            request = QuerySendDetailsRequest()
            request.set_endpoint(url.removeprefix("http://"))
            request.set_PhoneNumber(phone)
            request.set_SendDate(day)
            request.set_BizId(biz_id)
            request.set_PageSize(50)
            request.set_CurrentPage(1)
            answer = json.loads(client.do_action_with_exception(request))
            rows = answer["SmsSendDetailDTOs"]["SmsSendDetailDTO"]
            found[str(rows[0]["SendStatus"]) if rows else "none"] += 1
    print(json.dumps(found))


if __name__ == "__main__":
    main()
