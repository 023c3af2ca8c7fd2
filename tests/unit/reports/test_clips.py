import base64

import cv2
import numpy as np
import pytest
import torch

from video_tcav.media import probe_video
from video_tcav.reports import picture_uri, video_uri


def content(uri: str, kind: str) -> bytes:
    head, _, body = uri.partition(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(body)


def test_a_video_comes_back(tmp_path):
    frames = torch.full((8, 3, 32, 48), 40, dtype=torch.uint8)
    frames[4:] = 200
    path = tmp_path / "clip.mp4"
    path.write_bytes(content(video_uri(frames, fps=25), "video/mp4"))
    found = probe_video(path)
    assert (found.width, found.height, found.frame_count) == (48, 32, 8)
    assert found.fps == pytest.approx(25)


def test_a_picture_comes_back():
    frame = torch.zeros((3, 32, 48), dtype=torch.uint8)
    frame[0] = 200
    encoded = content(picture_uri(frame.permute(0, 2, 1)), "image/jpeg")
    found = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None and found.shape == (48, 32, 3)
    assert np.abs(found.astype(int) - (0, 0, 200)).max() < 8  # OpenCV gives blue first
