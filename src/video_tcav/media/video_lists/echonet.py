"""EchoNet-Dynamic: CSV with measured numbers for each echocardiogram."""

from video_tcav.media.files import VideoSource
from video_tcav.media.video_lists.list_format import ListChoice, ListFile, VideoListFormat, checked_split
from video_tcav.media.video_lists.video_folder import VideoFolder


class EchoNet(VideoListFormat):
    """Source: Ouyang et al. 2020, doi:10.1038/s41586-020-2145-8. Each video is of another patient."""

    name = "echonet"
    help = "EchoNet `FileList.csv`: labels are numbers, chosen by size: `FileList.csv::EF<40`"
    labels, has_splits = ("EF", "ESV", "EDV"), True
    source = "echonet.github.io/dynamic"

    def detects(self, file: ListFile) -> bool:
        """A header with FileName and EF."""
        return {"FileName", "EF"} <= file.columns

    def read(self, file: ListFile, videos: VideoFolder, choice: ListChoice) -> list[VideoSource]:
        """Files are `Videos/NAME.avi`; names stand in the list with or without the ending."""
        kind = self.kind_of_labels(choice)
        rows = list(file.rows("FileName", kind))
        # parsed as lower case where it is a column that manifests know
        splits = [row.get("split", row.get("Split", "")) for _, row in rows]
        checked_split(file, filter(None, splits), choice.split)
        sources = []
        for (where, row), split in zip(rows, splits, strict=True):
            if choice.split is None or split == choice.split:
                name = row["FileName"].removesuffix(".avi")
                label = f"{file.number(where, kind, row[kind]):.15g}"
                sources.append(videos.source(videos.find(name), f"Videos/{name}.avi", label=label))
        return sources


ECHONET = EchoNet()
