"""Audits measured: planted truth of the rendered world, coverage of intervals, and what an audit costs beside its passes."""
