"""CVAT for video 1.1: an XML file a video, with a track for each thing and a box in each frame."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from video_tcav.concepts.bank.records import Box
from video_tcav.core.errors import SourceError
from video_tcav.core.escaping import xml_text
from video_tcav.core.files import atomic_path
from video_tcav.core.text_files import read_text
from video_tcav.proposals.annotation_files.annotation import (
    AnnotatedVideo,
    Annotation,
    AnnotationFormat,
    distinct_stems,
)

_SIDES = ("xtl", "ytl", "xbr", "ybr")


class Cvat(AnnotationFormat):
    """Source: docs.cvat.ai, "CVAT for video 1.1"."""

    name, help = "cvat", "CVAT for video 1.1, an XML file a video"

    def read(self, path: Path) -> list[Annotation]:
        """A track is one annotation, or several where it is outside of the picture between."""
        text = read_text(path, error=SourceError)
        if "<!DOCTYPE" in text or "<!ENTITY" in text:  # CVAT writes none, and entities can grow without end
            raise SourceError(f"`{path}` must be XML without a document type. Got one. Export it from CVAT again.")
        try:
            root = ElementTree.fromstring(text)
            if root.tag != "annotations" or (not root.findall("track") and root.findall("image")):
                raise ValueError(f"<{root.tag}> without tracks")
            video = next((name.text for name in root.iterfind("meta//source") if name.text), path.stem)
            return [annotation for track in root.iterfind("track") for annotation in _tracks(track, video)]
        except (ElementTree.ParseError, ValueError, KeyError) as error:
            raise SourceError(
                f"`{path}` must be a file of CVAT for video 1.1, with tracks. Got: {error}. Export the task in that format."
            ) from error

    def write(self, folder: Path, videos: Sequence[AnnotatedVideo]) -> None:
        """One file a video, named like it."""
        distinct_stems(videos)
        for video in videos:
            root = ElementTree.Element("annotations")
            ElementTree.SubElement(root, "version").text = "1.1"
            task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
            facts = {"name": video.path.stem, "size": video.frames, "mode": "interpolation", "start_frame": 0}
            for name, value in (facts | {"stop_frame": video.frames - 1, "source": video.path.name}).items():
                ElementTree.SubElement(task, name).text = xml_text(str(value))
            size = ElementTree.SubElement(task, "original_size")
            ElementTree.SubElement(size, "width").text = str(video.width)
            ElementTree.SubElement(size, "height").text = str(video.height)
            labels = ElementTree.SubElement(task, "labels")
            for label in sorted({annotation.label for annotation in video.annotations}):
                ElementTree.SubElement(ElementTree.SubElement(labels, "label"), "name").text = xml_text(label)
            for number, annotation in enumerate(video.annotations):
                root.append(_track_element(number, annotation, video))
            ElementTree.indent(root)
            with atomic_path(folder / f"{video.path.stem}.xml") as temporary:
                ElementTree.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)


def _tracks(track: ElementTree.Element, video: str) -> list[Annotation]:
    annotations, boxes = list[Annotation](), list[tuple[int, Box]]()
    label = track.attrib["label"]
    for box in sorted(track.iterfind("box"), key=lambda box: int(box.attrib["frame"])):
        frame = int(box.attrib["frame"])
        if box.attrib.get("outside") == "1":
            if boxes:
                annotations.append(Annotation(video=video, label=label, boxes=tuple(boxes), end_frame=frame))
            boxes = []
        else:
            left, top, right, bottom = (float(box.attrib[side]) for side in _SIDES)
            boxes.append((frame, (left, top, right, bottom)))
    if boxes:
        annotations.append(Annotation(video=video, label=label, boxes=tuple(boxes)))
    return annotations


def _track_element(number: int, annotation: Annotation, video: AnnotatedVideo) -> ElementTree.Element:
    track = ElementTree.Element("track", id=str(number), label=xml_text(annotation.label), source="manual")
    for frame, box in annotation.boxes:
        _box_element(track, frame, box, outside=False)
    end = annotation.end_frame
    if end is not None and end < video.frames:  # CVAT draws a track until it is said to be outside
        _box_element(track, end, annotation.boxes[-1][1], outside=True)
    return track


def _box_element(track: ElementTree.Element, frame: int, box: Sequence[float], *, outside: bool) -> None:
    sides = {side: f"{value:.2f}" for side, value in zip(_SIDES, box, strict=True)}
    flags = {"outside": str(int(outside)), "occluded": "0", "keyframe": "1", "z_order": "0"}
    ElementTree.SubElement(track, "box", {"frame": str(frame), **flags, **sides})


CVAT = Cvat()
