"""Verdicts about masks: in a file before a change returns, and undone one by one."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from video_tcav.auditing.rejections import MaskVerdicts, read_verdicts, rejected_keys, unknown_names, write_verdicts
from video_tcav.concepts.bank import Verdict
from video_tcav.core.files import check_file_writable
from video_tcav.media import VideoSource


class VerdictFile:
    """Verdicts about clips by their numbers, from 1; safe for threads.

    Args:
        path: a JSON file, read first where it is there.
        sources: the clips. What the file says of others stays in it.

    Raises:
        InputError: if the file is of another form.
        OutputError: if it cannot be written.
    """

    def __init__(self, path: Path, sources: Sequence[VideoSource]) -> None:
        self.path, self._sources = path, tuple(sources)
        self._ids = {source.key: number for number, source in enumerate(self._sources, start=1)}
        self._undo: list[dict[int, Verdict]] = []  # verdicts before each change
        self._lock = Lock()
        check_file_writable(path)
        self._verdicts: dict[int, Verdict] = self._read()[0]

    def of(self, id: int) -> Verdict:
        """The verdict about a clip."""
        return self._verdicts.get(id, "open")

    def count(self, verdict: Verdict) -> int:
        """How many clips have a verdict."""
        verdicts = self._verdicts
        if verdict == "open":
            return len(self._sources) - len(verdicts)
        return sum(each == verdict for each in verdicts.values())

    def judge(self, ids: Sequence[int], verdict: Verdict) -> None:
        """Decide about clips; the file is written before this returns.

        Raises:
            InputError: if another program has made the file unreadable.
            OutputError: if the file cannot be written.
        """
        with self._lock:
            self._undo.append(self._write(dict.fromkeys(ids, verdict)))

    def undo(self) -> list[int]:
        """Take back the last decision of this session; the clips that it was about, none if there was none."""
        with self._lock:
            if not self._undo:
                return []
            self._write(self._undo[-1])
            return [*self._undo.pop()]

    def _write(self, changes: dict[int, Verdict]) -> dict[int, Verdict]:
        """Change the file as it is now, since another session may have written to it; gives the verdicts before."""
        verdicts, others = self._read()
        before: dict[int, Verdict] = {id: verdicts.get(id, "open") for id in changes}
        verdicts |= changes
        for id in [id for id, verdict in verdicts.items() if verdict == "open"]:
            del verdicts[id]
        rejected, accepted = (
            frozenset(self._sources[id - 1].key for id, each in verdicts.items() if each == verdict)
            for verdict in ("rejected", "accepted")
        )
        write_verdicts(
            self.path, MaskVerdicts(rejected=rejected | others.rejected, accepted=accepted | others.accepted)
        )
        self._verdicts = verdicts  # a new object: readers on other threads go on with the one that they have
        return before

    def _read(self) -> tuple[dict[int, Verdict], MaskVerdicts]:
        """Verdicts by number, and those of the file that are about no clip of these."""
        stored = read_verdicts(self.path)
        verdicts: dict[int, Verdict] = {}
        for key in rejected_keys(self._sources, stored.accepted):
            verdicts[self._ids[key]] = "accepted"
        for key in rejected_keys(self._sources, stored.rejected):  # later: in doubt a clip is left out
            verdicts[self._ids[key]] = "rejected"
        # whole keys need no search, which takes a pass over all clips for each name
        rejected, accepted = (
            frozenset(unknown_names(self._sources, names - self._ids.keys()))
            for names in (stored.rejected, stored.accepted)
        )
        return verdicts, MaskVerdicts(rejected=rejected, accepted=accepted)
