"""The section `words` of an experiment file: concepts in words, the encoder that knows them, and clips that check them."""

from pathlib import Path

from pydantic import Field, field_validator

from video_tcav.core.sections import Name, Section
from video_tcav.words.encoder_spec import encoder_beside
from video_tcav.words.word_lists import checked_texts, read_words


class Words(Section):
    """What is asked of a model by words, without clips of the concepts."""

    encoder: Name = Field(description="encoder of texts and clips, such as hf:ID or file:PATH.py:FUNCTION")
    texts: tuple[Name, ...] = Field(min_length=1, description="concepts in a few words each")
    checked_by: dict[Name, Name] = Field(
        default_factory=dict,
        description="for some texts the concept of this file whose clips its CAV is checked against",
    )
    others: Name | None = Field(
        None,
        description="file of words, one a line, that effects are compared with; a thousand common ones if not given",
    )

    @field_validator("texts")
    @classmethod
    def _clean(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        clean = checked_texts(texts)
        if len(clean) < len(texts):
            raise ValueError(f"each must come once. Got {', '.join(texts)}. Remove what is there twice")
        return clean

    def encoder_in(self, folder: Path) -> str:
        """Spec of the encoder; its paths are relative to `folder`, that of the experiment file."""
        return encoder_beside(self.encoder, folder)

    def other_words(self, folder: Path) -> tuple[str, ...] | None:
        """The words of the file of others, likewise; `None` for the common ones.

        Raises:
            InputError: if the file cannot be read.
        """
        return None if self.others is None else read_words(folder / Path(self.others).expanduser())
