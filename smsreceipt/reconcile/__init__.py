"""The comparison: which sends have no final receipt, what the provider knows of them, and how much time is left to ask.

:func:`survey_days` classifies the sends of some days and plans the calls, :class:`Run` makes the calls and stores the
answers, :class:`ClassCounts` counts. A comparison can be stopped at any time: answers are stored together with the note
that they were asked for, and the next comparison goes on with the rest.
"""

from smsreceipt.reconcile.ask import JobResult, do_job
from smsreceipt.reconcile.calendar import Calendar, Standing, end_of
from smsreceipt.reconcile.classes import Class, ClassCounts, Finding
from smsreceipt.reconcile.plan import Job, Known, Plan, jobs
from smsreceipt.reconcile.run import Run
from smsreceipt.reconcile.survey import Survey, survey_days

__all__ = [
    "Calendar",
    "Class",
    "ClassCounts",
    "Finding",
    "Job",
    "JobResult",
    "Known",
    "Plan",
    "Run",
    "Standing",
    "Survey",
    "do_job",
    "end_of",
    "jobs",
    "survey_days",
]
