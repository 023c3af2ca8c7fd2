"""Training lists of mmaction2, SlowFast, VideoMAE, TSN and TSM as a format."""

from video_tcav.media.files import VideoSource
from video_tcav.media.training_lists import TRAINING_SUFFIXES, is_training_line, read_training_list
from video_tcav.media.video_lists.list_format import ListChoice, ListFile, VideoListFormat
from video_tcav.media.video_lists.video_folder import VideoFolder


class Training(VideoListFormat):
    """Source: mmaction2, docs/en/user_guides/prepare_dataset.md; SlowFast, DATASET.md; TSN, README."""

    name = "training"
    help = "training lists of mmaction2, SlowFast, VideoMAE (`path label`), TSN and TSM (`folder frames label`)"
    is_general = True
    source = "github.com/open-mmlab/mmaction2; github.com/facebookresearch/SlowFast; github.com/yjxiong/temporal-segment-networks"

    def detects(self, file: ListFile) -> bool:
        """A first line that names a file with a usual ending, or a folder with numbers behind it."""
        return file.suffix in TRAINING_SUFFIXES and is_training_line(file.first_line)

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """Paths are relative to the folder, or fit the end of a path below it."""
        return read_training_list(file.path, videos.root)


TRAINING = Training()
