"""UCF101 and HMDB51: lists of files by split, whose names hold class and source video."""

import re
from pathlib import Path

from video_tcav.core.checks import require
from video_tcav.core.errors import SourceError
from video_tcav.media.files import VideoSource
from video_tcav.media.training_lists import ucf101_group
from video_tcav.media.video_lists.list_format import ListChoice, ListFile, VideoListFormat, grouped
from video_tcav.media.video_lists.video_folder import VideoFolder

_UCF101_LINE = re.compile(r"(?P<file>\S+/(?P<stem>v_[^/\s]+)\.\w+)(?:\s+\d+)?")
_HMDB51_NAME = re.compile(r"(?P<label>.+)_test_split\d")
_HMDB51_LINE = re.compile(r"(?P<file>.+\.\w+)\s+(?P<split>[012])")
_HMDB51_SPLITS = {"train": ("1",), "test": ("2",), None: ("1", "2")}


class Ucf101(VideoListFormat):
    """Source: Soomro et al. 2012, arXiv:1212.0402."""

    name, help = "ucf101", "UCF101 `trainlist01.txt`, `testlist01.txt`: one file a split"
    identifiers = ("video",)
    source = "www.crcv.ucf.edu/data/UCF101.php"

    def detects(self, file: ListFile) -> bool:
        """Lines such as `Class/v_Class_g01_c01.avi 1`."""
        return file.suffix == ".txt" and bool(_UCF101_LINE.fullmatch(file.first_line))

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """Clips of one video share its group number."""
        sources = []
        for _, match in file.matches(_UCF101_LINE, "Class/v_Class_g01_c01.avi 1"):
            listed = Path(match["file"])
            label = listed.parent.name
            video = videos.find(match["stem"], label)
            group = grouped({"video": ucf101_group(listed) or ""})
            sources.append(videos.source(video, str(listed), label=label, **group))
        return sources


class Hmdb51(VideoListFormat):
    """Source: Kuehne et al. 2011, doi:10.1109/ICCV.2011.6126543."""

    name = "hmdb51"
    help = "HMDB51 `brush_hair_test_split1.txt`: train and test together; `split` is one of them"
    identifiers, has_splits = ("video",), True
    source = "serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database"

    def detects(self, file: ListFile) -> bool:
        """The published name, and lines such as `name.avi 1`."""
        is_named = file.suffix == ".txt" and bool(_HMDB51_NAME.fullmatch(file.path.stem))
        return is_named and bool(_HMDB51_LINE.fullmatch(file.first_line))

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """The name of a clip begins with that of its source video."""
        name = _HMDB51_NAME.fullmatch(file.path.stem)
        if name is None:
            raise SourceError(
                f"`{file.path}` must be named like brush_hair_test_split1.txt. Got {file.path.name}. Keep its name."
            )
        is_split = choice.split in _HMDB51_SPLITS
        require(is_split, "split", "be train or test for hmdb51", choice.split, "Choose one, or leave it out.")
        label = name["label"]
        sources = []
        for _, match in file.matches(_HMDB51_LINE, "name.avi 1"):
            if match["split"] in _HMDB51_SPLITS[choice.split]:
                stem = Path(match["file"]).stem
                source_video, _, codes = stem.rpartition(f"_{label}_")  # codes of view, motion and clip number
                group = grouped({"video": source_video if codes else ""})
                sources.append(
                    videos.source(videos.find(stem, label), f"{label}/{match['file']}", label=label, **group)
                )
        return sources


UCF101, HMDB51 = Ucf101(), Hmdb51()
