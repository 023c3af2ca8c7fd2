"""Something-Something V2 (JSON), and Jester and Something-Something V1 (`id;label`), all of 20BN."""

import re
from collections.abc import Iterable
from typing import cast

from video_tcav.core.errors import SourceError
from video_tcav.core.text_files import plain_name
from video_tcav.media.files import VideoSource
from video_tcav.media.video_lists.list_format import ListChoice, ListFile, VideoListFormat
from video_tcav.media.video_lists.video_folder import VideoFolder

_LINE = re.compile(r"(?P<id>\d{1,9})\s*;\s*(?P<label>[^;]*[^\W\d][^;]*)")


class SomethingV2(VideoListFormat):
    """Source: Goyal et al. 2017, arXiv:1706.04261."""

    name, help = "ssv2", "Something-Something V2 `.json`: the label is the template without brackets"
    source = "developer.qualcomm.com/software/ai-datasets/something-something"

    def detects(self, file: ListFile) -> bool:
        """A JSON list."""
        return file.suffix == ".json" and file.first_line.startswith("[")

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """Files are named `ID.webm`."""
        if not isinstance(file.content, list):
            raise SourceError(
                f"`{file.path}` must be a JSON list of objects. Got another value. Use the published file."
            )
        sources = []
        for number, entry in enumerate(cast(Iterable[object], file.content), start=1):
            if not isinstance(entry, dict) or "id" not in entry:
                raise file.bad(f"entry {number},", "be an object with an `id`", entry)
            template = entry.get("template") or entry.get("label")
            # templates mark their placeholders, as in "Putting [something] on [something]"
            label = plain_name(re.sub(r"[\[\]]", "", str(template))) if template else None
            video_id = plain_name(str(entry["id"]))
            sources.append(videos.source(videos.find(video_id), f"{video_id}.webm", label=label))
        return sources


class Jester(VideoListFormat):
    """Source: Materzynska et al. 2019, The Jester Dataset, doi:10.1109/ICCVW.2019.00349."""

    name, help = "jester", "Jester and Something-Something V1 `.csv` of `id;label`: folders of frames `00001.jpg`, …"
    source = "developer.qualcomm.com/software/ai-datasets/jester"

    def detects(self, file: ListFile) -> bool:
        """Lines such as `34870;Drumming Fingers`; a label of digits alone could be a training list's."""
        return file.suffix in (".csv", ".txt") and bool(_LINE.fullmatch(file.first_line))

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """The list has neither header nor people, who performed several clips each."""
        sources = []
        for _, match in file.matches(_LINE, "34870;Drumming Fingers"):
            label = plain_name(match["label"])
            sources.append(videos.source(videos.find_frames(match["id"]), match["id"], label=label))
        return sources


SSV2, JESTER = SomethingV2(), Jester()
