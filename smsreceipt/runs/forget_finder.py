"""Finds what carries a phone number, in whatever field and form: what `forget` deletes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import chain

from smsreceipt.app import App
from smsreceipt.forward import cursor
from smsreceipt.model import Send
from smsreceipt.model.mentions import mentioned
from smsreceipt.runs.removing import lots
from smsreceipt.store import Query, SendQuery, Store
from smsreceipt.store.forgotten import LOG, TOPIC, TURN, text_of
from smsreceipt.store.removal import Whole

LOT = 500  #: rows that are looked at together
OURS = frozenset({TOPIC, LOG, TURN[0]})  #: topics of the notes that forgetting itself keeps


class Finder:
    """Finds what carries one of the numbers, in whatever field and form."""

    def __init__(self, app: App, store: Store, numbers: Collection[str]) -> None:
        self._app, self._store = app, store
        self._numbers = frozenset(numbers)
        self._removals = store.removals()
        self._last = store.facts().last_seq
        self.found: dict[int, frozenset[str]] = {}  # seqs of the last lot, and for which numbers they go

    def carried(self, *texts: str | bytes) -> frozenset[str]:
        """Those of the numbers that stand in one of these texts."""
        given = (text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text for text in texts)
        return self._numbers.intersection(*[set[str]().union(*map(mentioned, given))])

    def wholes(self) -> Iterator[list[Whole]]:
        """Yield whole identities of which a statement carries one of the numbers, in lots."""
        with self._app.progress() as progress:
            for lot in lots(self._carriers(progress.counted), LOT):
                self.found = {}
                for seq, carried in lot:
                    self.found[seq] = self.found.get(seq, frozenset()) | carried
                found = [*self._removals.wholes(list(self.found))]
                others = self._of_the_same_calls(found)
                self._attribute(found, others)
                yield found + others

    def _attribute(self, found: Collection[Whole], others: Collection[Whole]) -> None:
        """Attribute every statement of a message or call to the numbers that any of its statements carries."""
        calls: dict[str, frozenset[str]] = {}
        for whole in found:
            carried = frozenset[str]().union(*(self.found.get(seq, ()) for seq in whole.seqs))
            self.found.update(dict.fromkeys(whole.seqs, carried))
            for call_id in _calls(whole):
                calls[call_id] = calls.get(call_id, frozenset()) | carried
        for whole in others:
            carried = frozenset[str]().union(*(calls.get(call_id, ()) for call_id in _calls(whole)))
            self.found.update(dict.fromkeys(whole.seqs, carried))

    def _of_the_same_calls(self, wholes: Collection[Whole]) -> list[Whole]:
        """What else is stored about the calls of these: a transcript, or the notice of a recording, may name nobody."""
        calls = {call_id for whole in wholes for call_id in _calls(whole)}
        known = {seq for whole in wholes for seq in whole.seqs}
        if not calls:
            return []
        others = {each.seq for each in self._store.list(Query(call_ids=sorted(calls), history=True)) if each.seq}
        return [*self._removals.wholes(others - known)]

    def _carriers(self, show: Callable[[int, int, tuple[str, str]], None]) -> Iterator[tuple[int, frozenset[str]]]:
        for count, (seq, told, body) in enumerate(self._removals.texts()):
            if count % 10_000 == 0:
                show(min(seq, self._last), self._last, ("receipts searched", "已检查回执"))
            if seq <= self._last and (carried := self.carried(told, body)):
                yield seq, carried

    def sends(self) -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
        """Yield BizId and phone of the sends, and which numbers they carry."""
        for each in self._store.sends(SendQuery()):
            if carried := self.carried(text_of(each.send)):
                yield (each.send.biz_id, each.send.phone), carried

    def holds(self, needles: Collection[bytes]) -> bool:
        """Whether one of these bytes stands in what is stored, so that it is not the rest of what was deleted."""
        texts = chain(
            (text for _, told, body in self._removals.texts() for text in (told, body)),
            (text_of(each.send).encode() for each in self._store.sends(SendQuery())),
            (self._store.reject_body(reject.id) for reject in self._store.rejects()),
        )
        return any(needle in text for text in texts for needle in needles)

    def carries(self, send: Send) -> bool:
        """Whether one of the numbers stands in a send."""
        return bool(self.carried(text_of(send)))

    def origins(self) -> Iterator[str]:
        """Yield the origins that carry numbers, such as names of files that were replayed."""
        yield from (origin for origin in self._removals.origins() if self.carried(origin))

    def rejects(self) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield the ids of the rejects, and which numbers their bytes carry."""
        for reject in self._store.rejects():
            if carried := self.carried(self._store.reject_body(reject.id), reject.origin):
                yield reject.id, carried

    def notes(self) -> Iterator[tuple[str, dict[str, frozenset[str]]]]:
        """Yield topics with the names of their notes that carry numbers, and which."""
        for topic in self._store.note_topics():
            if topic not in OURS:
                ours = topic == cursor.TOPIC  # a seq is no phone number; without its cursor, receipts would be left out
                found = {
                    name: self.carried(name, "" if ours else text) for name, text in self._store.notes(topic).items()
                }
                if carrying := {name: carried for name, carried in found.items() if carried}:
                    yield topic, carrying


def _calls(whole: Whole) -> set[str]:
    """The ids of the calls that its statements are about."""
    return {each.call_id for each in whole.statements if each.call_id}
