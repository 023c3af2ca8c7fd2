"""Rows of an audit: a version's accuracy and log-odds, single figures such as SBErr, and Shapley shares."""

from dataclasses import dataclass

from video_tcav.auditing.coalitions import Player


@dataclass(frozen=True, kw_only=True)
class VersionResult:
    """What the model says of one version, of all classes or of one; all intervals are 95 %, by groups.

    Attributes:
        version: its name.
        label: the class; `None` over all.
        n_clips: clips of which there is such a version.
        n_groups: independent groups of these.
        accuracy: share of them that the model is right about.
        accuracy_low: lower end of its interval.
        accuracy_high: upper end.
        log_odds: mean log-odds of the clip's class.
        log_odds_low: lower end of its interval.
        log_odds_high: upper end.
        accuracy_lost: accuracy of the clip as it is, less that of the version.
        accuracy_lost_low: lower end of its interval.
        accuracy_lost_high: upper end.
        log_odds_lost: likewise of log-odds.
        log_odds_lost_low: lower end of its interval.
        log_odds_lost_high: upper end.
        still_right: share still right of the clips that the model is right about as they are; NaN where it is about none.
        still_right_low: lower end of its interval.
        still_right_high: upper end.
    """

    version: str
    label: str | None
    n_clips: int
    n_groups: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    log_odds: float
    log_odds_low: float
    log_odds_high: float
    accuracy_lost: float
    accuracy_lost_low: float
    accuracy_lost_high: float
    log_odds_lost: float
    log_odds_lost_low: float
    log_odds_lost_high: float
    still_right: float
    still_right_low: float
    still_right_high: float


@dataclass(frozen=True, kw_only=True)
class AuditFigure:
    """A single figure with its 95 % interval.

    Attributes:
        name: `sh_acc` and `sb_err`, the share of swaps of which the model says the person's class, and the scene's;
            `contrasted_VERSION`, the share of clips right on a version and wrong on one frame of it;
            `order_reversed` and `order_shuffled`, the accuracy that is lost when frames are reversed or shuffled.
        label: class of the clips; `None` over all.
        value: the figure.
        low: lower end of its interval.
        high: upper end.
        n_clips: clips that it is of.
    """

    name: str
    label: str | None
    value: float
    low: float
    high: float
    n_clips: int


@dataclass(frozen=True, kw_only=True)
class Share:
    """Shapley share of one player in the log-odds that a clip has more than a still of one colour.

    Attributes:
        player: order, motion, scene, person or object.
        label: class of the clips; `None` over all.
        share: the shares of all players add up to 1; NaN where there are no log-odds to share out.
        low: lower end of the 95 % interval.
        high: upper end.
        log_odds: the Shapley value itself.
        n_clips: clips that it is of.
    """

    player: Player
    label: str | None
    share: float
    low: float
    high: float
    log_odds: float
    n_clips: int
