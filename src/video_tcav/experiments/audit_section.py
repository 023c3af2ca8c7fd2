"""The section `audit` of an experiment file: labelled clips, masks, versions, and which concept belongs to which player."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, field_validator

from video_tcav.auditing.coalitions import Player
from video_tcav.auditing.plan import is_list_of_names
from video_tcav.auditing.settings import AuditSettings
from video_tcav.auditing.versions import VERSIONS
from video_tcav.core.files import beside
from video_tcav.core.sections import Name, Section, setting_fields
from video_tcav.core.settings import settings_of
from video_tcav.experiments.sections import ClipSource, Rendered, RenderedSource
from video_tcav.masks.specs import MASK_SOURCES

AUDIT = list(settings_of(AuditSettings))
"""Settings that are keys of the section."""
_AuditFields = setting_fields("AuditFields", AUDIT)
# Clips without the person have lost what it holds as well: a racket that hangs in the air would be a strange scene.
WITNESS_VERSIONS: dict[Player, str] = {
    "person": "scene_only",
    "scene": "person_only",
    "motion": "frozen",
    "order": "reversed",
}
"""The version of a clip that has all but one player; without objects there is none but a coalition of the shares."""


def _clips_form(value: Any) -> str:
    return "classes" if isinstance(value, Mapping) else "source"


AuditClips = Annotated[
    Annotated[ClipSource, Tag("source")] | Annotated[dict[Name, ClipSource], Tag("classes"), Field(min_length=1)],
    Discriminator(_clips_form),
]


VersionName = Annotated[Name, Field(json_schema_extra=lambda schema: schema.update(enum=list(VERSIONS.names())))]


class Audit(_AuditFields, Section):
    """What is asked of a model by edited clips, without concepts."""

    clips: AuditClips | None = Field(
        None,
        description="labelled clips: a folder for each class, a manifest or a published list; or the clips of each class by its "
        "name; those of targets if not given",
    )
    versions: tuple[VersionName, ...] | None = Field(
        None,
        min_length=1,
        description="what clips are made into, beside the clips as they are; all if not given; hypotheses add their own",
    )
    reject: tuple[Name, ...] = Field(
        (), description="clips to leave out, since their masks are wrong: names, or files of names"
    )
    witnesses: dict[Name, Player] = Field(
        default_factory=dict,
        description="for each concept what it is of: person, scene, motion, order or object; what the concept does is then set "
        "beside what clips lose without it",
    )

    @field_validator("clips", mode="before")
    @classmethod
    def _with_classes(cls, clips: Any) -> Any:
        # A file may hold a class that is called "rendered": only its own keys tell a rendered source from that.
        is_rendered = isinstance(clips, RenderedSource) or (isinstance(clips, Mapping) and clips.keys() == {"rendered"})
        if is_rendered and (isinstance(clips, RenderedSource) or _is_rendered(clips["rendered"])):
            raise ValueError("clips must have labels. Got rendered alone. Write {CLASS: {rendered: …}, …}")
        return clips

    @field_validator("versions")
    @classmethod
    def _known_versions(cls, versions: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in versions or ():
            if name not in VERSIONS.names():
                raise ValueError(
                    f"versions must be among {', '.join(VERSIONS.names())}. Got {name!r}. Choose some of them"
                )
        return versions

    def rejected(self, folder: Path) -> tuple[str, ...]:
        """What is to be rejected; files of names are relative to `folder`, that of the experiment file."""
        paths = [(name, beside(name, folder)) for name in self.reject]
        return tuple(path if is_list_of_names(path) else name for name, path in paths)

    def settings(self, folder: Path) -> AuditSettings:
        """Settings of the audit; paths of masks are relative to `folder`, that of the experiment file."""
        values = {each.name: getattr(self, each.name) for each in AUDIT}
        return AuditSettings(**{**values, "masks": masks_beside(str(self.masks), folder)})


def _is_rendered(value: Any) -> bool:
    """Whether a value is what stands under `rendered`, and no source of clips of a class of that name."""
    return isinstance(value, Rendered) or (isinstance(value, Mapping) and "count" in value)


def masks_beside(spec: str, folder: Path) -> str:
    """A source of masks whose path is found beside the experiment file; a detector may be named within one: `boxes:onnx:FILE`."""
    # options of a source stand behind a question mark, and are no part of its path
    path, mark, query = spec.partition("?")
    scheme, _, source = path.partition(":")
    if scheme not in MASK_SOURCES.names():
        near = beside(path, folder)
        # What is not there may be a name that a plug-in knows; if it is none, the source of masks says so.
        return f"{near if Path(near).exists() else path}{mark}{query}"
    return f"{scheme}:{masks_beside(source, folder)}{mark}{query}" if source else spec
