"""AVA Actions: CSV without header, a person's box with an action at one second of a film."""

import re
from functools import cache
from pathlib import Path

import av

from video_tcav.core.errors import MediaError, SourceError
from video_tcav.core.text_files import plain_name, read_text
from video_tcav.media.container import open_media
from video_tcav.media.files import VideoSource, kind_of
from video_tcav.media.video_lists.list_format import ListChoice, ListFile, VideoListFormat, grouped
from video_tcav.media.video_lists.video_folder import VideoFolder

_UNIT = r"(?:0?\.\d+|[01](?:\.0*)?)"
_LINE = re.compile(
    rf"(?P<video>[\w-]{{11}}),(?P<second>\d{{1,5}}(?:\.\d+)?),(?:{_UNIT},){{4}}(?P<action>\d{{1,3}})(?:,(?P<person>-?\d{{1,9}}))?"
)
_LABEL = re.compile(r"name:\s*\"(?P<name>[^\"]+)\"\s*(?:label_)?id:\s*(?P<number>\d+)")
_HALF_S = 1.5  # a label holds for the clip of 3 s around its second
# prepared videos begin with the first annotated quarter of an hour, and are that long (`ffmpeg -ss 900 -t 901`)
_CUT_START_S, _CUT_LONGEST_S = 900.0, 950.0


class Ava(VideoListFormat):
    """Source: Gu et al. 2018, arXiv:1705.08421, section 3: clips of 3 s, with the annotated frame in the middle."""

    name = "ava"
    help = "AVA `ava_train_v2.2.csv`: 3 s around the annotated second, of the whole picture; names of actions from its `.pbtxt`"
    identifiers, may_repeat = ("video", "person"), True
    source = "research.google.com/ava/download.html"

    def detects(self, file: ListFile) -> bool:
        """Lines such as `-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,1`."""
        return file.suffix == ".csv" and bool(_LINE.fullmatch(file.first_line))

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """Files are whole films, or their quarter of an hour from 15:00 on; which, their length tells."""
        names, start_of = _action_names(file), cache(_start_s)
        sources = []
        for _, match in file.matches(_LINE, "-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,1"):
            video, second, action, person = match.group(
                "video", "second", "action", "person"
            )  # version 1.0 has no person
            path = videos.find_file(video)
            # seconds count from the start of the film, also in lists of cut files
            middle_s = float(second) - (0 if path is None else start_of(path))
            identifiers = {"video": video} | ({"person": f"{video} person {person}"} if person else {})
            sources.append(
                videos.source(
                    path,
                    f"{video}.mp4",
                    label=names.get(int(action), str(int(action))),
                    start_s=max(middle_s - _HALF_S, 0.0),
                    end_s=max(middle_s, 0.0) + _HALF_S,
                    **grouped(identifiers),
                )
            )
        return sources


def _start_s(path: Path) -> float:
    """The second of the film at which a file begins; its header tells the length, and no film is that short."""
    if kind_of(path) != "video":
        return 0.0
    try:
        with open_media(path) as container:
            length_s = (container.duration or 0) / av.time_base
    except MediaError:  # the decoder reports it when the clip is wanted
        return 0.0
    return _CUT_START_S if 0 < length_s < _CUT_LONGEST_S else 0.0


def _action_names(file: ListFile) -> dict[int, str]:
    path = file.beside("ava_action_list*.pbtxt")
    matches = () if path is None else _LABEL.finditer(read_text(path, error=SourceError))
    return {int(match["number"]): plain_name(match["name"]) for match in matches}


AVA = Ava()
