"""Concepts in words of an experiment: checked with its file, tested once a model and target into a folder, and read back."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from video_tcav.core.errors import ExperimentError, VideoTcavError
from video_tcav.core.files import atomic_folder, read_json, write_json
from video_tcav.core.yaml_lines import YamlFile
from video_tcav.experiments.clips import ClipSets
from video_tcav.experiments.digests import RESUME, check_folder, damage_reported, write_digests
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.run_context import RunContext, TextKey
from video_tcav.experiments.same_clips import check_same_digests
from video_tcav.tcav import TextTcavResult, load_text_results, run_text_tcav
from video_tcav.words.encoder import TextVideoEncoder
from video_tcav.words.encoder_spec import load_encoder
from video_tcav.words.word_lists import other_words, words_digest

ABOUT = "about.json"
"""The file that says which model and target of the experiment a test of texts is of."""


@dataclass(frozen=True, kw_only=True)
class TextTest:
    """The concepts in words of one model and target.

    Attributes:
        key: model and target, by their names in the experiment.
        folder: where.
        result: of `run_text_tcav`.
    """

    key: TextKey
    folder: Path
    result: TextTcavResult

    def to_frame(self) -> pd.DataFrame:
        """One row a text and layer, with the model's name in the experiment."""
        frame = self.result.to_frame()
        frame.insert(0, "model", self.key.model)
        return frame


def check_words(experiment: Experiment, file: YamlFile) -> TextVideoEncoder | None:
    """Check words that texts are compared with, and load the encoder; `None` where an experiment has no texts.

    Raises:
        ExperimentError: with file and line, if it cannot be loaded.
    """
    if experiment.words is None:
        return None
    folder = file.path.absolute().parent
    key = "others"
    try:
        other_words(experiment.words.other_words(folder), experiment.words.texts)
        key = "encoder"
        return load_encoder(experiment.words.encoder_in(folder))
    except VideoTcavError as error:
        raise file.error(("words", key), f"`words.{key}`: {error}") from error


def compute_texts(context: RunContext, clips: ClipSets) -> None:
    """Test the texts of every model and target that are not in the directory yet."""
    for key, folder in context.texts.items():
        if folder.is_dir():
            check_folder(folder, f"Delete the folder {folder}, {RESUME}")
            _check_same(context, key, folder, clips)
            continue
        context.say(f"concepts in words: {key.model}, {key.target}")
        with atomic_folder(folder) as partial:
            _test_texts(context, key, clips, partial)
            # the result has the names of the model itself, which two entries of the file may share
            write_json(partial / ABOUT, key._asdict())
            write_digests(partial)


def _test_texts(context: RunContext, key: TextKey, clips: ClipSets, out: Path) -> None:
    experiment, encoder = context.experiment, context.encoder
    assert experiment.words is not None and encoder is not None
    run_text_tcav(
        context.models[key.model],
        target=key.target,
        texts=experiment.words.texts,
        encoder=encoder,
        random=clips.random,
        clips=clips.targets[key.target],
        concepts={text: clips.concepts[concept] for text, concept in experiment.words.checked_by.items()},
        layers=experiment.layers,
        against=experiment.against,
        at=experiment.at,
        only_right=experiment.only_right,
        words=experiment.words.other_words(context.file.path.absolute().parent),
        cav=experiment.cav,
        bootstraps=experiment.statistics.bootstraps,
        group=experiment.group,
        seed=experiment.seed,
        out=out,
        recording=context.recording(experiment.spaces[0]),
        progress=context.progress,
    )


def _check_same(context: RunContext, key: TextKey, folder: Path, clips: ClipSets) -> None:
    """Refuse to go on with other clips, another encoder or other words than those of a finished test."""
    experiment, encoder = context.experiment, context.encoder
    assert experiment.words is not None and encoder is not None
    provenance = load_text_test(folder).result.provenance
    before = {name: digest for digests in provenance["clips"].values() for name, digest in digests.items()}
    checking = [clips.concepts[concept] for concept in experiment.words.checked_by.values()]
    sets = (clips.random, *checking, clips.targets[key.target] or ())
    check_same_digests(folder, before, [source for sources in sets for source in sources])
    words = other_words(experiment.words.other_words(context.file.path.absolute().parent), experiment.words.texts)
    now = (encoder.digest, words_digest(words))
    if now != (provenance["encoder"]["digest"], provenance["settings"]["other_words"]):
        raise ExperimentError(
            f"{folder.parent.parent}: a run must go on with the same encoder and other words. Got others. Give another --out."
        )


def load_text_test(folder: Path) -> TextTest:
    """Read the concepts in words of one model and target.

    Raises:
        ExperimentError: if a file is missing or damaged.
    """
    with damage_reported(folder, f"Delete the folder {RESUME}"):
        key = TextKey(**read_json(folder / ABOUT))
        return TextTest(key=key, folder=folder, result=load_text_results(folder))
