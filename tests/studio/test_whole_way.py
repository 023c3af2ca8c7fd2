"""From real videos to a test: a machine proposes, a person's decisions come over the studio's own interface, a test uses them."""

import pytest
from starlette.testclient import TestClient

import video_tcav as vt
from video_tcav.concepts import ConceptBank
from video_tcav.proposals import propose
from video_tcav.studio import create_app

ORIGIN = "http://127.0.0.1:8125"


@pytest.mark.assets
def test_propose_accept_and_test(assets, tmp_path):
    weizmann = assets / "clips" / "weizmann"
    videos = sorted((weizmann / "jack").glob("*.avi"))[:5]
    with ConceptBank.open(tmp_path / "bank", create=True) as bank:
        found = propose(videos, bank, detector="motion", kinds=("moving", "still"), seed=0)
        assert sum(one.clips for one in found.counts) >= 10
        headers = {"Authorization": "Bearer secret", "Origin": ORIGIN}
        with TestClient(create_app(bank, port=8125, token="secret"), base_url=ORIGIN, headers=headers) as client:
            clips = client.get("/api/clips", params={"kind": "moving", "verdict": "open"}).json()["clips"]
            ids = [clip["id"] for clip in clips]
            assert client.post("/api/verdict", json={"ids": ids, "verdict": "accepted"}).status_code == 200
            assert client.post("/api/move", json={"ids": ids, "concept": "jumping jack"}).status_code == 200
        [jack] = [one for one in bank.concepts(tubes=True) if one.name == "jumping jack"]
        assert jack.accepted == len(ids) and jack.videos == len(videos)
    folder = assets / "models" / "mini_r2plus1d"
    model = vt.load_model(
        f"file:{folder}/mini_r2plus1d.py:build", weights=folder / "mini_r2plus1d_weizmann.safetensors", device="cpu"
    )
    result = vt.run_tcav(
        model,
        target="wave2",
        clips=sorted((weizmann / "wave2").glob("*.avi"))[:4],
        concepts={"jumping jack": f"{tmp_path / 'bank'}::jumping jack"},
        random=sorted((weizmann / "walk").glob("*.avi")) + sorted((weizmann / "side").glob("*.avi")),
        layers=model.default_layers[-1:],
        permutations=199,
        random_sets=20,
        bootstraps=50,
    )
    [one] = result.results
    assert one.concept == "jumping jack" and one.n_concept_clips == len(ids)
    assert one.n_groups == len(videos) + one.n_random_clips
    assert one.effect > 0  # both arms up speaks for waving with both hands, as it does on whole videos
