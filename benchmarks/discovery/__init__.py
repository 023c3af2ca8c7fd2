"""Discovery measured: planted truth of the rendered world, null runs, and what it costs beside the passes."""
