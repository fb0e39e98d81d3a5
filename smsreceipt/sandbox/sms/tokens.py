"""The token service: the RPC action QueryTokenForMnsQueue."""

from __future__ import annotations

from collections.abc import Mapping

from smsreceipt.sandbox.clock import beijing
from smsreceipt.sandbox.wire.credentials import Keyring
from smsreceipt.sandbox.wire.rpc import Action, Parameters


class Tokens:
    """Issues temporary credentials for queues."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys
        self.actions: Mapping[str, Action] = {"QueryTokenForMnsQueue": Action(("MessageType",), self.query_token)}

    def query_token(self, parameters: Parameters) -> Mapping[str, object]:
        """A token for one queue, or for all queues of a message type; its times are Beijing time."""
        token = self._keys.issue(parameters["MessageType"], parameters.get("QueueName") or None)
        return {
            "MessageTokenDTO": {
                "AccessKeyId": token.access_key_id,
                "AccessKeySecret": token.secret.decode(),
                "SecurityToken": token.security_token.decode(),
                "CreateTime": beijing(token.created),
                "ExpireTime": beijing(token.expires),
            }
        }
