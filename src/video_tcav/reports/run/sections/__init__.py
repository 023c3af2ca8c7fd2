"""Sections of a run's report, one a module: see `ReportSection`."""
