"""What is deleted for good: whole identities, so that the states of what stays do not change.

The rules of what is to go are above the stores; these are the values in which they are asked and answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

import msgspec

#: The topic of notes that name the numbers about which answers of queries are to be attributed anew.
UNATTRIBUTED = "unattributed"
BATCH = 1_000  #: identities that one transaction deletes; other writers wait for a few hundredths of a second
_UNNAMED: Mapping[str, str] = MappingProxyType({})
_NONE: Mapping[str, Mapping[str, str | None]] = MappingProxyType({})


class At(NamedTuple):
    """Where a search for old statements has come to: they are found by day, kind and seq."""

    day: int = -1
    kind: int = -1
    seq: int = -1


class Held(msgspec.Struct, frozen=True):
    """One stored statement."""

    seq: int
    identity: tuple[str | int | bytes, ...]  #: the engine's key of what it is about; last the number of the kind
    kind: str
    day: int  #: the Beijing day of sent_at, else reported_at, else received_at
    phone: str
    call_id: str
    current: bool  #: the state of its identity
    size: int  #: bytes of its bodies
    digests: frozenset[bytes]  #: of all its bodies

    @property
    def at(self) -> At:
        """Where it comes when old statements are searched for."""
        return At(self.day, int(self.identity[-1]), self.seq)


class Whole(msgspec.Struct, frozen=True):
    """All statements about one identity, and about those that its attributions tie it to; in ascending seq."""

    statements: tuple[Held, ...]

    @property
    def seqs(self) -> tuple[int, ...]:
        """The seqs of all its statements."""
        return tuple(each.seq for each in self.statements)

    @property
    def last_day(self) -> int:
        """The Beijing day of its newest statement."""
        return max(each.day for each in self.statements)

    @property
    def last_seq(self) -> int:
        """The seq of its newest statement."""
        return self.statements[-1].seq


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction deletes."""

    wholes: Sequence[Whole] = ()
    sends: Collection[tuple[str, str]] = ()  #: of the ledger, by BizId and phone
    rejects: Collection[str] = ()  #: by their full ids
    settle: bool = False  #: sends that stay count as having had the receipts that go; else as waiting for them
    #: Origins of what stays, and what stands there from now on. Replays of files of these names begin anew.
    origins: Mapping[str, str] = _UNNAMED
    notes: Mapping[str, Mapping[str, str | None]] = _NONE  #: by topic: notes that change with it; None deletes one


class Space(msgspec.Struct, frozen=True):
    """What a store takes after its free space was given back."""

    size: int  #: bytes on disk
    free: int | None  #: bytes in it that later receipts will use; None: the engine does not tell
    held_by: str = ""  #: who still reads what was deleted, so that it is not out of the files yet; "" for nobody
    refused: bool = False  #: the server did not do it for this user, who does not own the tables


class Removals(Protocol):
    """Finds what is to be deleted, and deletes it. Promises and errors are those of Store."""

    @property
    def seconds(self) -> float:
        """How long a transaction of remove() should take at most, so that others who write hardly wait for it."""

    def old(self, before: int, after: At, limit: int) -> Sequence[At]:
        """The next statements, at most *limit*, of Beijing days before *before*, by day, kind and seq."""

    def wholes(self, seqs: Collection[int]) -> Sequence[Whole]:
        """The wholes that these seqs belong to; unknown seqs are ignored."""

    def texts(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield the seq of each statement with the text of its columns and a body; again for each further body.

        Reads everything, a slice at a time: statements that are written meanwhile may be among them.
        """

    def origins(self) -> Sequence[str]:
        """The origins of what is and was stored, and of replays that were cut off: queues, paths, files."""

    def counted(self) -> Sequence[str]:
        """The codes in figures that were counted in advance; deleting does not take them out of there."""

    def remove(self, removal: Removal) -> bool:
        """Delete all of *removal* in one transaction, with what refers to it, and adjust counters and tallies.

        False, and nothing deleted, if what is stored about an identity is not what wholes() told. Answers of queries
        that stay keep their attributions until attribute() is called, which takes as long as there are answers about a
        number: once after the last removal, not for each part that goes.
        """

    def attribute(self, limit: int) -> int:
        """Attribute anew, in one transaction, what removals have left of at most *limit* numbers; of how many it were.

        To be called until it returns 0. What is not attributed yet is noted, so that the next run goes on after a kill.
        """

    def reclaim(self, *, rewrite: bool) -> Space:
        """Give free space back to the disk as far as that can be done in small steps, and empty the journal.

        *rewrite*: write everything anew instead, so that no byte of what was deleted is left in the store; nobody else
        can write meanwhile, for about a minute for each 5 GB. Waits a few seconds for whoever may still read what was
        deleted, and writes nothing anew if that does not end.
        """

    def key_file(self) -> Path:
        """Where the key of forgotten numbers is kept: outside the store."""

    def traces(self, needles: Collection[bytes]) -> bool | None:
        """Whether one of these texts stands anywhere in the files of the store; None: the engine cannot tell."""


def gathered(
    seqs: Collection[int],
    statements: Callable[[Collection[int]], Iterable[Held]],
    ties: Callable[[Collection[Held]], Iterable[tuple[int, int]]],
) -> list[Whole]:
    """The wholes that these seqs belong to, by their first statements; unknown seqs are ignored.

    *statements* returns all statements about the identities of some seqs; *ties* returns, for some statements, the seqs
    of each answer and of the statement that it is attributed to, if either is among them.
    """
    known: dict[int, Held] = {}
    links: set[tuple[int, int]] = set()
    wanted: Collection[int] = seqs
    while wanted:
        found = {each.seq: each for each in statements(wanted)}
        known |= found
        new = set(ties(list(found.values())))
        links |= new
        wanted = {seq for link in new for seq in link} - known.keys()
    return _grouped(known, [link for link in links if known.keys() >= set(link)])


def _grouped(known: Mapping[int, Held], links: Iterable[tuple[int, int]]) -> list[Whole]:
    """Statements by identity; identities that a link joins are one whole."""
    joined: dict[object, object] = {}

    def leader(key: object) -> object:
        while joined.get(key, key) != key:
            key = joined[key]
        return key

    for detail, report in links:
        joined[leader(known[detail].identity)] = leader(known[report].identity)
    groups: dict[object, list[Held]] = defaultdict(list)
    for seq in sorted(known):
        groups[leader(known[seq].identity)].append(known[seq])
    return [Whole(tuple(group)) for group in groups.values()]
