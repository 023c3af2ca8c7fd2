"""The page of a finished run: one module a section."""
