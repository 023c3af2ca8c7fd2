"""COCO with videos, as TAO extends it: boxes of images that are frames, joined by tracks."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from video_tcav.core.files import write_json
from video_tcav.proposals.annotation_files.annotation import (
    AnnotatedVideo,
    Annotation,
    AnnotationFormat,
    distinct_stems,
    json_content,
)

_FORM = (
    "COCO JSON with videos: `videos`, `images` with video_id and frame_index, `annotations` with track_id, `categories`"
)


class Coco(AnnotationFormat):
    """Source: Lin et al. 2014, arXiv:1405.0312; videos and tracks as in TAO, Dave et al. 2020, arXiv:2005.10356."""

    name, help = "coco", "COCO JSON with videos and tracks, as TAO has them"

    def read(self, path: Path) -> list[Annotation]:
        """Boxes of one track are one annotation."""
        with json_content(path, _FORM, "Boxes of single images show no motion.") as content:
            videos = {video["id"]: str(video.get("name") or video["file_name"]) for video in content["videos"]}
            labels = {category["id"]: str(category["name"]) for category in content["categories"]}
            images = {image["id"]: (image["video_id"], _frame_index(image)) for image in content["images"]}
            tracks: dict[tuple[Any, Any, Any], list[tuple[int, tuple[float, float, float, float]]]] = defaultdict(list)
            for row in content["annotations"]:
                video, frame = images[row["image_id"]]
                track = row["track_id"] if "track_id" in row else row["instance_id"]
                left, top, width, height = (float(value) for value in row["bbox"])
                tracks[video, track, row["category_id"]].append((frame, (left, top, left + width, top + height)))
            return [
                Annotation(video=videos[video], label=labels[category], boxes=tuple(sorted(boxes)))
                for (video, _, category), boxes in tracks.items()
            ]

    def write(self, folder: Path, videos: Sequence[AnnotatedVideo]) -> None:
        """One file, `annotations.json`."""
        distinct_stems(videos)
        names = sorted({annotation.label for video in videos for annotation in video.annotations})
        categories = {name: number for number, name in enumerate(names, start=1)}
        content: dict[str, list[Any]] = {
            "videos": [],
            "images": [],
            "tracks": [],
            "annotations": [],
            "categories": [{"id": number, "name": name} for name, number in categories.items()],
        }
        for number, video in enumerate(videos, start=1):
            size = {"width": video.width, "height": video.height}
            content["videos"].append({"id": number, "name": video.path.name, "fps": video.fps, **size})
            images: dict[int, int] = {}
            for annotation in video.annotations:
                track = len(content["tracks"]) + 1
                category = categories[annotation.label]
                content["tracks"].append({"id": track, "video_id": number, "category_id": category})
                for frame, (left, top, right, bottom) in annotation.boxes:
                    if frame not in images:
                        images[frame] = len(content["images"]) + 1
                        file_name = f"{video.path.stem}/{frame:06d}.jpg"
                        image = {"id": images[frame], "video_id": number, "frame_index": frame, "file_name": file_name}
                        content["images"].append(image | size)
                    width, height = right - left, bottom - top
                    content["annotations"].append(
                        {
                            "id": len(content["annotations"]) + 1,
                            "image_id": images[frame],
                            "video_id": number,
                            "track_id": track,
                            "category_id": category,
                            "bbox": [round(side, 2) for side in (left, top, width, height)],
                            "area": round(width * height, 2),
                            "iscrowd": 0,
                        }
                    )
        write_json(folder / "annotations.json", content)


def _frame_index(image: dict[str, Any]) -> int:
    return int(image["frame_index"] if "frame_index" in image else image["frame_id"])


COCO = Coco()
