"""The comparison: which sends have no final receipt, what the provider says of them, and how much time is left to ask.

:func:`survey` reads the ledger and plans, :class:`Run` asks and keeps, :class:`Books` counts. A comparison can be
broken off at any point: what was answered is kept with the note that it was asked for, and the next one goes on there.
"""

from smsreceipt.reconcile.ask import Asks, Done, inquire
from smsreceipt.reconcile.calendar import PRESSING, Calendar, Standing, end_of, start_of
from smsreceipt.reconcile.classes import Books, Class, Learnt
from smsreceipt.reconcile.plan import Job, Known, Plan, jobs
from smsreceipt.reconcile.run import Run
from smsreceipt.reconcile.survey import Days, survey

__all__ = [
    "PRESSING",
    "Asks",
    "Books",
    "Calendar",
    "Class",
    "Days",
    "Done",
    "Job",
    "Known",
    "Learnt",
    "Plan",
    "Run",
    "Standing",
    "end_of",
    "inquire",
    "jobs",
    "start_of",
    "survey",
]
