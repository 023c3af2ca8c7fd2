"""The package's public names: each once, and each there."""

import video_tcav as vt


def test_every_public_name_is_listed_once_and_is_there():
    assert len(vt.__all__) == len(set(vt.__all__))
    assert all(hasattr(vt, name) for name in vt.__all__)
    assert "__version__" in vt.__all__
