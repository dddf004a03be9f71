"""Jobs: source, detector, method and outputs in one typed file, checked to the last field before the first frame.

    loaded = jobs.read("job.yml")    # a `Job`, which is a policy with its source and outputs; or a PeekingDuck file
    todo = jobs.decide(loaded)       # files for a batch, or a stream for a live run

A job says in one file what `faceveil INPUT` and `faceveil live` say in options; the command line runs what is decided.
"""

from faceveil.jobs.decide import Files, Stream, decide
from faceveil.jobs.job import Job, Loaded, parse, read, schema

__all__ = ["Files", "Job", "Loaded", "Stream", "decide", "parse", "read", "schema"]
