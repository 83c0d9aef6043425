"""What every chapter of the book begins with, from one place."""

from zfutils.study.closing import closing
from zfutils.study.display import show
from zfutils.study.records import Stopwatch
from zfutils.study.scoreboard import claims_table
from zfutils.study.study import Study

__all__ = ["Stopwatch", "Study", "claims_table", "closing", "show"]
