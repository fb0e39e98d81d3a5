"""A queue compared with a model: no message is lost or duplicated, and only valid handles delete."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from smsreceipt.sandbox.queues.queue import Attributes, Message, Queue


class Model(RuleBasedStateMachine):
    """Every message is in one place. A handle is valid while it is the newest and the message is hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_700_000_000_000
        self.queue = Queue("q", None, Attributes(visibility=30), lambda: self.now)
        self.sent = 0
        self.hidden: dict[bytes, tuple[bytes, int]] = {}  # id -> newest handle, NextVisibleTime
        self.handles: list[tuple[bytes, bytes]] = []  # every handle ever given, with its message's id

    @rule(n=st.integers(1, 5), priority=st.integers(1, 16), delay=st.sampled_from([0, 0, 5]))
    def put(self, n: int, priority: int, delay: int) -> None:
        self.queue.put([Message(b"x", self.now, priority) for _ in range(n)], delay)
        self.sent += n

    @rule(most=st.integers(1, 16), stale=st.booleans())
    def take(self, most: int, stale: bool) -> None:
        self.expire()
        taken, until = self.queue.take(most, stale=stale)
        assert len(taken) <= most
        assert [message.priority for message in taken] == sorted(message.priority for message in taken)
        for message in taken:
            assert message.id not in self.hidden
            self.handles.append((message.handle, message.id))
            if not stale:
                self.hidden[message.id] = (message.handle, until)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.expire()
        if self.handles:
            handle, of = data.draw(st.sampled_from(self.handles))
            self.queue.sweep()
            alive = of in self.hidden and self.hidden[of][0] == handle
            assert self.queue.delete(handle) == ("" if alive else "MessageNotExist")
            if alive:
                del self.hidden[of]

    @rule(data=st.data(), seconds=st.integers(1, 60))
    def change(self, data: st.DataObject, seconds: int) -> None:
        self.expire()
        if self.handles:
            handle, of = data.draw(st.sampled_from(self.handles))
            self.queue.sweep()
            changed = self.queue.change(handle, seconds)
            if of in self.hidden and self.hidden[of][0] == handle:
                assert not isinstance(changed, str)
                self.hidden[of] = changed
                self.handles.append((changed[0], of))
            else:
                assert changed == "MessageNotExist"

    @rule(seconds=st.integers(1, 40))
    def advance(self, seconds: int) -> None:
        self.now += seconds * 1000

    def expire(self) -> None:
        self.hidden = {of: entry for of, entry in self.hidden.items() if entry[1] > self.now}

    @invariant()
    def the_counters_add_up(self) -> None:
        self.expire()
        self.queue.sweep()
        queue = self.queue
        assert queue.sent == self.sent == queue.visible + queue.delayed + queue.invisible + queue.deleted
        assert queue.invisible == len(self.hidden)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=40)


def test_the_heap_keeps_no_entries_of_deleted_messages() -> None:
    """A busy queue with a long visibility keeps entries of messages in flight only."""
    queue = Queue("q", None, Attributes(visibility=43_200), lambda: 1_700_000_000_000)
    queue.put(Message(b"x", 1_700_000_000_000) for _ in range(10_000))
    while taken := queue.take(16)[0]:
        for message in taken:
            queue.delete(message.handle)
    assert len(queue._hidden_until) < 1100
