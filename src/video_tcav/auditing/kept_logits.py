"""Logits of versions of clips on disk, by content: an audit that was killed goes on, and a second one passes nothing."""

import hashlib
import json
from collections.abc import Mapping
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

_FORMAT = 2  # raise it where the same version would have other pixels, or masks other doubts


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
    """

    def __init__(self, folder: Path | None, *context: Any) -> None:
        self._folder = folder
        # the package's version: any release may draw, fill or paste pixels otherwise
        self._context = [_FORMAT, __version__, *context]

    def read(self, *content: Any) -> KeptClip:
        """What is kept of a clip; nothing where the file is not there, or is damaged."""
        path = self._path(*content)
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

    def write(self, clip: KeptClip, *content: Any) -> None:
        """Keep what is known of a clip.

        Raises:
            OutputError: if the folder cannot be written to.
        """
        path = self._path(*content)
        if path is None:
            return
        rows = torch.stack(list(clip.logits.values())) if clip.logits else torch.zeros(0, 0)
        known = {
            "versions": list(clip.logits),
            "facts": None if clip.facts is None else asdict(clip.facts),
            "skipped": clip.skipped,
        }
        write_tensors(path, {"logits": rows.contiguous()}, metadata={"audit": json.dumps(known)})

    def _path(self, *content: Any) -> Path | None:
        if self._folder is None:
            return None
        key = hashlib.sha256(json.dumps([*self._context, *content], sort_keys=True).encode()).hexdigest()
        # 256 folders, as some file systems are slow with a million files in one
        return self._folder / key[:2] / f"{key}.safetensors"
