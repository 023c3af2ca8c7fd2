"""Logits of versions of clips on disk, by content: an audit that was killed goes on, and a second one passes nothing."""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from video_tcav._version import __version__
from video_tcav.core.tables import write_tensors

_FORMAT = 3  # raise it where the same version would have other pixels, clips other lenders, or masks other doubts


@dataclass(frozen=True, kw_only=True)
class MaskFacts:
    """What is known of the masks of one clip, and of what was done with them.

    Attributes:
        has_object: whether they tell objects.
        how: how they were found.
        person_share: share of all pixels that are the person's, in the frames in which there is one.
        doubts: what a person should look at; empty if nothing.
        filled: how the scene behind it was filled in.
        lender: which of the clip's lenders gave it a scene; `None` if none did.
    """

    has_object: bool = False
    how: str = ""
    person_share: float = 0.0
    doubts: str = ""
    filled: str = ""
    lender: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptClip:
    """The kept logits of one clip.

    Attributes:
        logits: by the name of the version.
        facts: of its masks; `None` where versions without masks alone were passed.
        skipped: why the clip could not be used; empty if it could.
    """

    logits: Mapping[str, Float[Tensor, " class"]] = field(default_factory=dict)
    facts: MaskFacts | None = None
    skipped: str = ""


class LogitFiles:
    """Files of logits in one folder; nothing is kept where there is none.

    Args:
        folder: where; `None` keeps nothing.
        context: all that logits depend on beside the clip: the model, its preparation, numerics.

    Attributes:
        folder: see above.
    """

    def __init__(self, folder: Path | None, *context: Any) -> None:
        self.folder = folder
        # the package's version: any release may draw, fill or paste pixels otherwise
        self._context = [_FORMAT, __version__, *context]

    def read(self, *content: Any) -> KeptClip:
        """What is kept of a clip; nothing where the file is not there, or is damaged."""
        return self._read(self._key(*content))

    def _read(self, key: str) -> KeptClip:
        path = self._path(key)
        with suppress(OSError, SafetensorError, KeyError, ValueError, TypeError):
            if path is not None:
                with safe_open(path, "pt") as file:
                    known = json.loads(file.metadata()["audit"])
                    rows = file.get_tensor("logits")
                facts = None if known["facts"] is None else MaskFacts(**known["facts"])
                # a file that was cut off, or of a run that went wrong, is as good as none
                if len(rows) == len(known["versions"]) and bool(torch.isfinite(rows).all()):
                    logits = dict(zip(known["versions"], rows, strict=True))
                    return KeptClip(logits=logits, facts=facts, skipped=known["skipped"])
        return KeptClip()

    def add(self, clip: KeptClip, *content: Any) -> None:
        """Keep what is known of a clip, beside the versions that are kept of it already.

        Raises:
            OutputError: if the folder cannot be written to.
        """
        self._merge(self._key(*content), clip)

    def add_encoded(self, block: memoryview) -> None:
        """Keep what a machine that shares no disk with this one has sent.

        Raises:
            OutputError: if the folder cannot be written to.
        """
        sent = json.loads(bytes(block))
        logits = {name: torch.tensor(row, dtype=getattr(torch, sent["dtype"])) for name, row in sent["logits"].items()}
        facts = None if sent["facts"] is None else MaskFacts(**sent["facts"])
        self._merge(sent["key"], KeptClip(logits=logits, facts=facts, skipped=sent["skipped"]))

    def _merge(self, key: str, clip: KeptClip) -> None:
        path = self._path(key)
        if path is None:
            return
        # read again: another version of the clip may have been kept since its material was made
        logits = {**self._read(key).logits, **clip.logits}
        rows = torch.stack(list(logits.values())) if logits else torch.zeros(0, 0)
        known = {
            "versions": list(logits),
            "facts": None if clip.facts is None else asdict(clip.facts),
            "skipped": clip.skipped,
        }
        write_tensors(path, {"logits": rows.contiguous()}, metadata={"audit": json.dumps(known)})

    def _key(self, *content: Any) -> str:
        return hashlib.sha256(json.dumps([*self._context, *content], sort_keys=True).encode()).hexdigest()

    def _path(self, key: str) -> Path | None:
        # 256 folders, as some file systems are slow with a million files in one
        return None if self.folder is None else self.folder / key[:2] / f"{key}.safetensors"


class LogitSender(LogitFiles):
    """Has the methods of `LogitFiles` that passes need, holds nothing, and sends what is new away.

    Args:
        send: takes each clip; the passes wait while it does.
        context: as of the files that the run has.
    """

    def __init__(self, send: Callable[[memoryview], None], *context: Any) -> None:
        super().__init__(None, *context)
        self._send = send

    def _merge(self, key: str, clip: KeptClip) -> None:
        rows = clip.logits.values()
        content = {
            "key": key,
            # numbers of JSON are read back to the last bit
            "logits": {name: row.tolist() for name, row in clip.logits.items()},
            "dtype": str(next(iter(rows)).dtype).removeprefix("torch.") if rows else "float32",
            "facts": None if clip.facts is None else asdict(clip.facts),
            "skipped": clip.skipped,
        }
        self._send(memoryview(json.dumps(content).encode()))
