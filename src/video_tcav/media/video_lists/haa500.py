"""HAA500: lists of `class/class_000.mp4`."""

import re
from pathlib import Path

from video_tcav.core.text_files import plain_name
from video_tcav.media.files import VideoSource
from video_tcav.media.video_lists.list_format import ListChoice, ListFile, VideoListFormat
from video_tcav.media.video_lists.video_folder import VideoFolder

_LINE = re.compile(r"(?:.*/)?(?P<label>[^/]+)/(?P<stem>(?P=label)_\d{3})\.mp4")


class Haa500(VideoListFormat):
    """Source: Chung et al. 2021, arXiv:2009.05224; the folder `video` has a folder for each class."""

    name, help = "haa500", "HAA500 lists of `class/class_000.mp4`; its folder of videos is read without a list too"
    source = "www.cse.ust.hk/haa"

    def detects(self, file: ListFile) -> bool:
        """Lines such as `abseiling/abseiling_000.mp4`."""
        return file.suffix == ".txt" and bool(_LINE.fullmatch(file.first_line))

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """No identifier tells which clips are of one video or person."""
        sources = []
        for _, match in file.matches(_LINE, "abseiling/abseiling_000.mp4"):
            label = match["label"]
            expected = str(Path(label) / f"{match['stem']}.mp4")
            sources.append(videos.source(videos.find(match["stem"], label), expected, label=plain_name(label)))
        return sources


HAA500 = Haa500()
