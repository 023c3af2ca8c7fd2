"""Clips that are rendered for an experiment."""

from tests.unit.experiments.files import SMALL, write
from video_tcav.experiments import read_experiment
from video_tcav.experiments.clips import find_clips


def test_each_set_of_rendered_clips_has_a_folder_of_its_own(tmp_path):
    one = "{rendered: {count: 1, still: true, seed: %d}}"
    concepts = f"  a: {{static: {one % 7}, dynamic: {one % 8}}}\n  a-static: {one % 9}\n  A-Static: {one % 10}\n"
    text = SMALL.replace("concepts:\n", f"concepts:\n{concepts}").replace("count: 10", "count: 1")
    text = text.replace("count: 24", "count: 1").replace("count: 8", "count: 1")
    experiment, file = read_experiment(write(tmp_path, text))
    clips = find_clips(experiment, file, tmp_path / "clips", progress=False)
    pictures = {name: sources[0].path.read_bytes() for name, sources in clips.concepts.items()}
    assert len(set(pictures.values())) == len(pictures) == 6
    again = find_clips(experiment, file, tmp_path / "clips", progress=False)
    assert again.concepts == clips.concepts
