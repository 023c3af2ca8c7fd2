"""ActivityNet: JSON whose `database` has segments in seconds with a label each, by video."""

from typing import Any

from video_tcav.core.errors import SourceError
from video_tcav.core.text_files import plain_name
from video_tcav.media.files import VideoSource
from video_tcav.media.video_lists.list_format import (
    ListChoice,
    ListFile,
    VideoListFormat,
    checked_split,
    grouped,
)
from video_tcav.media.video_lists.video_folder import VideoFolder


class ActivityNet(VideoListFormat):
    """Source: Caba Heilbron et al. 2015, doi:10.1109/CVPR.2015.7298698. THUMOS14 and HACS are published in the same form."""

    name, help = "activitynet", "ActivityNet `.json`: a clip for each annotated segment; splits are its `subset`"
    identifiers, has_splits, may_repeat = ("video",), True, True
    source = "activity-net.org/download.html"

    def detects(self, file: ListFile) -> bool:
        """JSON with a `database`."""
        return isinstance(file.content, dict) and isinstance(file.content.get("database"), dict)

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """Files are named `v_ID.mp4` or `ID.mp4`; a video without annotations, as of the test set, gives no clip."""
        if not self.detects(file):
            raise SourceError(
                f"`{file.path}` must have a `database` of videos. Got another value. Use the published file."
            )
        entries = list(file.content["database"].items())
        subsets = [str(facts.get("subset", "")) for _, facts in entries if isinstance(facts, dict)]
        checked_split(file, filter(None, subsets), choice.split)
        sources = []
        for video_id, facts in entries:
            where = f"video {video_id},"
            if not isinstance(facts, dict) or not isinstance(facts.get("annotations", []), list):
                raise file.bad(where, "be an object with a list of `annotations`", facts)
            if choice.split is None or facts.get("subset") == choice.split:
                path = videos.find_file(f"v_{video_id}") or videos.find_file(video_id)
                for number, annotation in enumerate(facts.get("annotations", []), start=1):
                    fields = _segment(file, f"video {video_id}, annotation {number},", annotation)
                    expected, identifiers = f"v_{video_id}.mp4", grouped({"video": video_id})
                    sources.append(
                        file.source(where, videos.source, path=path, expected=expected, **fields, **identifiers)
                    )
        return sources


def _segment(file: ListFile, where: str, annotation: Any) -> dict[str, Any]:
    try:
        start, end = annotation["segment"]
        label = plain_name(str(annotation["label"])) or None
    except (KeyError, TypeError, ValueError) as error:
        raise file.bad(where, "have a `segment` of two numbers and a `label`", annotation) from error
    start_s, end_s = file.number(where, "start", start), file.number(where, "end", end)
    return {"label": label, "start_s": start_s, "end_s": end_s}


ACTIVITYNET = ActivityNet()
