"""`ConceptBank`: the clips of a folder, with their origins, concepts and verdicts."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.concepts.bank import check, clips, embeddings, export, files, insertion, merge, recut
from video_tcav.concepts.bank.database import FORMAT
from video_tcav.concepts.bank.decisions import Decisions
from video_tcav.concepts.bank.records import BankClip, ConceptCount, Kind, NewClip, Origin, Verdict, reviewer_name
from video_tcav.concepts.bank.recut import NewFrames
from video_tcav.core.errors import BankError
from video_tcav.core.sqlite import Database


class ClipFilters(TypedDict, total=False):
    """Filters of `ConceptBank.clips`: only clips that pass all that are given.

    Attributes:
        concept: name of the concept; empty for clips without one.
        verdict: what a person decided.
        label: what the detector called it.
        video: path or digest of the source video.
        kind: what of the tube it shows.
        ids: only these.
        text: this text in concept, label, path of the video or a note, in capitals or not.
        tubes: each tube once in its concept: the moving version, or else a still, and so on.
        disputed: clips that reviewers judged differently and nobody has settled.
        reviewer: this reviewer's verdicts instead of those that stand, and only this reviewer's notes.
    """

    concept: str | None
    verdict: Verdict | None
    label: str | None
    video: str | None
    kind: Kind | None
    ids: Sequence[int] | None
    text: str | None
    tubes: bool
    disputed: bool
    reviewer: str | None


class ConceptBank(Decisions):
    """A folder of clips, with the origin, concept and verdict of each.

    One object serves all threads of a process; several processes may have one bank open. A change is on disk when its
    method returns. Close it, or use it in a `with`.

    Attributes:
        folder: of the bank, absolute.
        database: behind it, for the other modules of this package.
    """

    def __init__(self, database: Database) -> None:
        self.folder = database.folder
        self.database = database

    @classmethod
    def open(cls, folder: str | Path, *, create: bool = False) -> "ConceptBank":
        """Open a bank.

        Args:
            folder: of the bank.
            create: whether to make an empty one where there is none.

        Raises:
            BankError: if there is none, or it is of a newer version, or is no bank.
            OutputError: if it cannot be made.
        """
        return cls(Database.open(FORMAT, Path(folder).expanduser().absolute(), create=create))

    @classmethod
    def opened(cls, bank: "ConceptBank | str | Path", *, create: bool = False) -> AbstractContextManager["ConceptBank"]:
        """A bank for a `with` statement: one that is open already, which stays so, or one in a folder, closed at the end.

        Args:
            bank: the bank, or its folder.
            create: whether to make an empty one where there is none.

        Raises:
            BankError: as `open`.
            OutputError: likewise.
        """
        return nullcontext(bank) if isinstance(bank, ConceptBank) else cls.open(bank, create=create)

    def close(self) -> None:
        """Close the bank; closing twice is no error."""
        self.database.close()

    def __enter__(self) -> "ConceptBank":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(
        self,
        frames: UInt8[Tensor, "time 3 height width"],
        *,
        fps: float,
        concept: str,
        kind: Kind,
        origin: Origin,
        tube: str,
        quality: float = 0.0,
        verdict: Verdict = "open",
        reviewer: str = "",
    ) -> BankClip:
        """Encode a clip into the bank: H.264 in MP4, PNG for a still.

        The same cut (of the video's content, in time and place), kind and concept twice is the existing clip, also where a
        person has moved it since: a `propose` that was killed can be run again.

        Args:
            frames: RGB; one picture for a still.
            fps: frames per second.
            concept: that it is proposed for; empty for none yet.
            kind: what of the tube it shows: see `NewClip`, as for the arguments that follow.
            origin: where it was cut from.
            tube: the same for all versions of one tube.
            quality: higher is better; the order of review.
            verdict: what a person decided.
            reviewer: who; empty for nobody in particular.

        Raises:
            InputError: if a value is not possible.
            OutputError: if the disk is full or the bank cannot be written to; nothing was changed.
        """
        clip = NewClip(
            concept=concept,
            kind=kind,
            verdict=verdict,
            origin=origin,
            tube=tube,
            quality=quality,
            fps=fps,
            **insertion.file_shape(frames, kind),
        )
        return insertion.add_clip(self.database, frames, clip, reviewer=reviewer_name(reviewer))

    def add_file(
        self,
        path: str | Path,
        *,
        concept: str,
        kind: Kind | None = None,
        verdict: Verdict = "accepted",
        origin: Origin | None = None,
    ) -> BankClip:
        """Copy a video or an image into the bank as it is; the same content for the same concept twice is one clip.

        Args:
            path: the file.
            concept: that it shows.
            kind: `still` for an image and `moving` for a video if not given.
            verdict: what a person decided.
            origin: where it was cut from; the file itself if not given.

        Raises:
            MediaError: if the file cannot be decoded.
            InputError: if a value is not possible.
            OutputError: if the disk is full or the bank cannot be written to; nothing was changed.
        """
        return insertion.add_file(self.database, Path(path), concept=concept, kind=kind, verdict=verdict, origin=origin)

    def replace_frames(self, cuts: Sequence[NewFrames], *, reviewer: str = "") -> None:
        """Cut clips anew: other frames and another origin in place of what they have. One step of undo.

        Raises:
            InputError: if a value is not possible.
            OutputError: if the disk is full or the bank cannot be written to; nothing was changed.
        """
        recut.replace_frames(self.database, cuts, reviewer=reviewer_name(reviewer))

    def has(self, *, video_digest: str, tube: str, kind: Kind) -> bool:
        """Whether this version of a tube is in the bank, under whatever concept and verdict."""
        query = "SELECT 1 FROM clips WHERE video_digest = ? AND tube = ? AND kind = ? LIMIT 1"
        return bool(self.database.read(query, [video_digest, tube, kind]))

    def clip(self, id: int) -> BankClip:
        """One clip.

        Raises:
            BankError: if there is none of that number, or its file is a link out of the bank.
        """
        for clip in self.clips(ids=[id]):
            files.check_inside(self.folder, clip.path)
            return clip
        raise BankError(f"`id` must be a clip of the bank. Got {id}, which is none. Load the list again.")

    def clips(
        self,
        *,
        limit: int | None = None,
        offset: int = 0,
        order: clips.Order = "quality",
        **filters: Unpack[ClipFilters],
    ) -> list[BankClip]:
        """Clips that pass all filters that are given.

        Args:
            filters: see `ClipFilters`.
            limit: how many at most.
            offset: how many of the first to leave out.
            order: `quality` (best first), `confident` and `unsure` (the detector's confidence, highest and lowest first),
                `added` (oldest first), or `given` (as in `ids`).

        Raises:
            InputError: if a value is not possible.
            BankError: if a row was tampered with.
        """
        wanted = clips.Filter(**filters)
        return clips.find_clips(self.database, wanted, limit=limit, offset=offset, order=order)

    def count(self, **filters: Unpack[ClipFilters]) -> int:
        """How many clips `clips` would give with the same filters and without a limit."""
        return clips.count_clips(self.database, clips.Filter(**filters))

    def versions(self, ids: Sequence[int]) -> list[int]:
        """The clips, and all other versions of their tubes that are in the same concept."""
        return clips.versions_of(self.database, ids)

    def concepts(self, *, tubes: bool = False, reviewer: str | None = None) -> list[ConceptCount]:
        """All concepts by name, those without clips too.

        Args:
            tubes: count each tube once, as a test does, and not all its versions.
            reviewer: count this reviewer's verdicts instead of those that stand.
        """
        return clips.count_concepts(self.database, tubes=tubes, reviewer=reviewer)

    def labels(self) -> list[str]:
        """What detectors called the clips, sorted."""
        rows = self.database.read("SELECT DISTINCT label FROM clips WHERE label != '' ORDER BY label")
        return [str(row["label"]) for row in rows]

    def videos(self) -> list[str]:
        """Paths of the source videos, sorted."""
        return [str(row["video"]) for row in self.database.read("SELECT DISTINCT video FROM clips ORDER BY video")]

    def set_embeddings(self, space: str, vectors: Mapping[int, np.ndarray]) -> None:
        """Store one vector a clip; a clip's earlier vector in that space is replaced.

        Args:
            space: digest of the model, and the layer.
            vectors: by clip, all of one length.

        Raises:
            InputError: if vectors are not finite or differ in length.
            BankError: if one is no clip of the bank.
        """
        embeddings.set_embeddings(self.database, space, vectors)

    def embeddings(self, space: str | None = None) -> tuple[list[int], Float[np.ndarray, "clip feature"]]:
        """Clips and their vectors in a space; in the latest if no space is named."""
        return embeddings.read_embeddings(self.database, space)

    def embedded(self, space: str | None = None) -> set[int]:
        """Clips that have a vector in a space, or in any if none is named."""
        return embeddings.embedded_clips(self.database, space)

    def comparable(self, ids: Sequence[int]) -> set[int]:
        """Those of the clips that `similar` can compare: they have a vector, or another version of their tube has."""
        return embeddings.comparable_clips(self.database, ids)

    def similar(self, id: int, *, count: int | None = 20) -> list[int]:
        """Clips like one, nearest first by cosine; all that can be compared with it if `count` is `None`.

        Raises:
            BankError: if it has no embedding.
        """
        return embeddings.similar_clips(self.database, id, count)

    def check(self) -> list[str]:
        """What is wrong, in words: files missing or changed, rows that cannot be read, files that no clip has."""
        return check.find_problems(self.database)

    def repair(self) -> list[Path]:
        """Remove the files that no clip has, such as a killed process leaves; their paths."""
        return check.remove_unnamed_files(self.database)

    def export(
        self, folder: str | Path, *, concepts: Sequence[str] | None = None, verdict: Verdict | None = "accepted"
    ) -> Path:
        """Copy clips to a new folder, see `export_clips`; the manifest."""
        return export.write_export(self.database, Path(folder), concepts=concepts, verdict=verdict)

    def merge(self, other: "ConceptBank") -> int:
        """Take over clips and decisions of another bank, see `merge_banks`; how many clips are new."""
        return merge.merge_databases(self.database, other.database).added
