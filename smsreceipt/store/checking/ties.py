"""Whether answers of a query are attributed as matching says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from smsreceipt.matching import SEND_DETAIL, Candidate, Reported, attributed, candidates
from smsreceipt.model import Instant
from smsreceipt.store.checking.faults import Fault, Finding


class Detail(NamedTuple):
    """One SendDetail statement."""

    seq: int
    identity: tuple[str, ...]
    unit: Any  #: the identity as the engine keeps it
    said: Any  #: what it says about its identity
    sent_at: Instant | None
    out_id: str
    signed: bool
    copied: Any  #: what a statement that is made of it has from it: digest, time and way of arrival


class Report(NamedTuple):
    """One SmsReport statement about the same number."""

    seq: int
    biz_id: str
    said: Any
    sent_at: Instant | None
    reported_at: Instant | None
    out_id: str
    signed: bool  #: the way by which it came first is authenticated
    native: bool
    copied: Any


class Tied(NamedTuple):
    """One stored attribution."""

    detail: int
    report: int
    made: bool
    signed: bool


class Number(NamedTuple):
    """All about one phone number that decides what is attributed."""

    phone: str
    details: Sequence[Detail]
    reports: Sequence[Report]
    ledger: Sequence[Candidate]
    ties: Sequence[Tied]
    unattributed: bool = False  #: something about it is being deleted: it is attributed anew after that


class Verdict(NamedTuple):
    """What matching says about one number."""

    attributed: Mapping[tuple[str, ...], Any]  #: identity of a detail that is a send, and its unit
    ties: Sequence[Tied]  #: those to statements that exist; also of made ones that nothing is attributed to any more
    faults: Sequence[Fault]


def verdict(number: Number) -> Verdict:
    """Compare the stored attributions of one number with the rule."""
    details = sorted(number.details, key=lambda each: each.seq)
    if number.unattributed:
        tied = {each.detail for each in number.ties}
        return Verdict({each.identity: each.unit for each in details if each.seq in tied}, number.ties, [])
    made = _made(number)
    own = [each for each in number.reports if each.seq not in made]
    reported = [Reported(each.biz_id, each.sent_at, each.reported_at, each.out_id) for each in own]
    biz_ids = attributed({each.identity: each for each in details}, candidates(number.ledger, reported))
    stored = {each.detail: each for each in number.ties}
    reports = {(each.biz_id, each.said): each for each in sorted(number.reports, key=lambda each: each.seq)}
    expected: dict[int, Tied] = {}
    faults: list[Fault] = []
    told: set[int] = set()
    for detail in details:
        biz_id = biz_ids.get(detail.identity)
        report = None if biz_id is None else reports.get((biz_id, detail.said))
        was = stored.pop(detail.seq, None)
        if report is None:
            if biz_id is not None or was is not None:
                faults.append(_fault(number, detail, was, biz_id))
            continue
        tie = _tie(detail, report, was, first=report.seq in made and report.seq not in told)
        told.add(report.seq)
        expected[detail.seq] = tie
        if was != tie:
            faults.append(_fault(number, detail, was, biz_id, tie))
    faults += _others(number, stored.values())
    left = list(_left_over(number, made - told, details))
    faults += [
        Fault(finding=Finding.ATTRIBUTION, seq=each.report, stored=each.report, expected=None, unit=number.phone)
        for each in left
    ]
    units = {each.identity: each.unit for each in details if each.identity in biz_ids}
    return Verdict(units, [*expected.values(), *left], faults)


def _made(number: Number) -> set[int]:
    """The statements that were made for a detail: exact copies, of which the attribution tells too."""
    copies = {(each.copied, each.said) for each in number.details}
    seqs = {each.seq for each in number.reports if not each.native and (each.copied, each.said) in copies}
    return seqs & ({each.report for each in number.ties if each.made} | _untold(number, seqs))


def _untold(number: Number, seqs: set[int]) -> set[int]:
    """Copies for which no attribution is stored that says whether they were made."""
    return seqs - {each.report for each in number.ties}


def _tie(detail: Detail, report: Report, was: Tied | None, *, first: bool) -> Tied:
    """The attribution of a detail. Who brought the signature is known from the stored one only, if nobody else did."""
    if first:
        signed = detail.signed
    elif was is not None and was.report == report.seq:
        signed = was.signed and detail.signed
    else:
        signed = detail.signed and not report.signed
    return Tied(detail.seq, report.seq, first, signed)


def _others(number: Number, ties: Any) -> Iterator[Fault]:
    """Attributions of what is no detail of this number."""
    for tie in ties:
        yield Fault(
            finding=Finding.ORPHAN, seq=tie.detail, stored={"report": tie.report}, expected=None, unit=number.phone
        )


def _left_over(number: Number, seqs: set[int], details: Sequence[Detail]) -> Iterator[Tied]:
    for report in number.reports:
        if report.seq in seqs:
            copied = next(each for each in details if (each.copied, each.said) == (report.copied, report.said))
            yield Tied(copied.seq, report.seq, made=True, signed=copied.signed)


def _fault(number: Number, detail: Detail, was: Tied | None, biz_id: str | None, tie: Tied | None = None) -> Fault:
    expected = None if biz_id is None else {"biz_id": biz_id, "report": tie and tie.report, "made": tie and tie.made}
    return Fault(
        finding=Finding.ATTRIBUTION, seq=detail.seq, kind=SEND_DETAIL, identity=detail.identity,
        stored=was and {"report": was.report, "made": was.made}, expected=expected, unit=number.phone,
    )  # fmt: skip
