"""Agreement of two reviewers: Cohen's kappa, and the clips that they judged differently."""

from dataclasses import dataclass
from itertools import combinations

from sklearn.metrics import cohen_kappa_score

from video_tcav.concepts.bank.bank import ConceptBank


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two reviewers agree on the clips that both have judged, each tube once.

    Attributes:
        first: name of a reviewer; empty where nobody gave a name.
        second: name of the other.
        clips: how many both have judged.
        agreed: of these, how many they judged alike.
        kappa: Cohen's kappa, agreement beyond chance: 1 is full agreement, 0 what chance gives. `None` where it is not
            defined: no clip in common, or both gave the same verdict to every clip.
        disputed: clips that they judged differently, whether or not somebody has settled them since.
    """

    first: str
    second: str
    clips: int
    agreed: int
    kappa: float | None
    disputed: tuple[int, ...]


def agreements(bank: ConceptBank) -> list[Agreement]:
    """Agreement of each two reviewers of a bank who have judged a clip in common.

    Source:
        Cohen 1960, A coefficient of agreement for nominal scales, doi:10.1177/001316446002000104; scikit-learn computes it.
    """
    ids = [clip.id for clip in bank.clips(tubes=True)]
    verdicts: dict[str, dict[int, str]] = {}
    for review in bank.reviews(ids):
        if review.verdict != "open":
            verdicts.setdefault(review.reviewer, {})[review.clip] = review.verdict
    pairs = [_agreement(first, second, verdicts) for first, second in combinations(sorted(verdicts), 2)]
    return [pair for pair in pairs if pair.clips]


def _agreement(first: str, second: str, verdicts: dict[str, dict[int, str]]) -> Agreement:
    common = sorted(verdicts[first].keys() & verdicts[second].keys())
    columns = [[verdicts[name][clip] for clip in common] for name in (first, second)]
    disputed = [
        clip for clip, *verdicts_of_both in zip(common, *columns, strict=True) if len(set(verdicts_of_both)) > 1
    ]
    # with a single verdict there is nothing that chance could get wrong: 0 / 0
    defined = len({verdict for column in columns for verdict in column}) > 1
    return Agreement(
        first=first,
        second=second,
        clips=len(common),
        agreed=len(common) - len(disputed),
        kappa=float(cohen_kappa_score(*columns)) if defined else None,
        disputed=tuple(disputed),
    )
