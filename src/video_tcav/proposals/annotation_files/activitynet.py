"""ActivityNet JSON: segments of videos in seconds, with a label each."""

from collections.abc import Sequence
from pathlib import Path

from video_tcav.core.files import write_json
from video_tcav.proposals.annotation_files.annotation import (
    AnnotatedVideo,
    Annotation,
    AnnotationFormat,
    distinct_stems,
    json_content,
)

_FORM = "ActivityNet JSON: `database` with videos, whose `annotations` have `segment` and `label`"


class ActivityNet(AnnotationFormat):
    """Source: Caba Heilbron et al. 2015, ActivityNet, doi:10.1109/CVPR.2015.7298698; activity-net.org/download.html."""

    name, help = "activitynet", "ActivityNet JSON, spans without boxes"

    def read(self, path: Path) -> list[Annotation]:
        """A segment is one annotation."""
        annotations = []
        with json_content(path, _FORM, "Correct the file.") as content:
            for video, facts in content["database"].items():
                for row in facts["annotations"]:
                    start_s, end_s = (float(value) for value in row["segment"])
                    annotations.append(Annotation(video=video, label=str(row["label"]), span_s=(start_s, end_s)))
        return annotations

    def write(self, folder: Path, videos: Sequence[AnnotatedVideo]) -> None:
        """One file, `annotations.json`."""
        distinct_stems(videos)
        database = {}
        for video in videos:
            rows = [
                {"segment": [round(time_s, 3) for time_s in annotation.span_s], "label": annotation.label}
                for annotation in video.annotations
                if annotation.span_s is not None
            ]
            database[video.path.stem] = {
                "duration": round(video.duration_s, 3),
                "subset": "training",
                "resolution": f"{video.width}x{video.height}",
                "url": "",
                "annotations": rows,
            }
        write_json(folder / "annotations.json", {"version": "VERSION 1.3", "taxonomy": [], "database": database})


ACTIVITYNET = ActivityNet()
