"""Experiments that audit a rendered model on ten clips with exact masks: seconds, and the truth is planted."""

from pathlib import Path

from video_tcav.rendered import rule_of, write_world

CLAIMS = """\
hypotheses:
  - background_bias: {at_most: 0.5}
  - order_matters: {at_most: 0.5}
    family: order
"""
AUDIT = "{clips: world/manifest.csv, masks: world/masks.json, shares: false, versions: [swap], bootstraps: 200}"


def write_audit(folder: Path, model: str, *, audit: str = AUDIT, claims: str = CLAIMS, more: str = "") -> Path:
    """The file of an experiment that audits the model `rendered:r2plus1d-MODEL`, and its clips."""
    if not (folder / "world").exists():
        factors, labels = rule_of(model).sample(10, seed=3)
        write_world(folder / "world", factors, [rule_of(model).labels[label] for label in labels], masks=True)
    path = folder / "audit.yaml"
    path.write_text(f"title: Person or place?\nmodel: rendered:r2plus1d-{model}\n{more}audit: {audit}\n{claims}")
    return path
