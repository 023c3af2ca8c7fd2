"""Published lists of videos, a format a module: which files they name, with labels, segments and identifiers for groups."""
