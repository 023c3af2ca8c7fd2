"""Settings in mmaction2 configs: known ones are used, others must say what is built here anyway, or are refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import ModelError
from video_tcav.core.limits import excerpt

# What training alone uses: initialisation, dropout, frozen parameters, memory, losses, and how clips of a test are averaged.
_TRAINING = frozenset(
    {
        *(
            "pretrained",
            "pretrained2d",
            "pretrained_type",
            "torchvision_pretrain",
            "clip_pretrained",
            "channel_map",
            "init_cfg",
            "init_std",
            "init_scale",
        ),
        *(
            "zero_init_residual",
            "rel_pos_zero_init",
            "norm_eval",
            "partial_bn",
            "frozen_stages",
            "with_cp",
            "bn_frozen",
        ),
        *(
            "drop_rate",
            "attn_drop_rate",
            "drop_path_rate",
            "backbone_drop_path_rate",
            "mlp_dropout",
            "dropout_ratio",
            "label_smooth_eps",
            "topk",
            "average_clips",
        ),
    }
)
# `norm_cfg` has a check of its own; the size of a head's input shows in its weights, and its loss says what outputs are.
_CHECKED_APART = frozenset({"type", "norm_cfg", "in_channels", "loss_cls", "multi_class"})
_BATCH_NORMS = ("BN", "BN1d", "BN2d", "BN3d", "SyncBN")


@dataclass(frozen=True, kw_only=True)
class Component:
    """A dict of a config that builds something.

    Attributes:
        name: where it stands, `backbone` or `cls_head`.
        settings: its keys and values.
        source: the config, for errors.
    """

    name: str
    settings: Mapping[str, Any]
    source: str

    @property
    def kind(self) -> str:
        """Its `type`; empty without one."""
        kind = self.settings.get("type")
        return kind if isinstance(kind, str) else ""

    def inner(self, name: str) -> "Component":
        """A component that stands inside."""
        content = self.settings.get(name)
        if not isinstance(content, Mapping):
            raise self.error(f"have a dict {name}", content)
        return Component(name=f"{self.name}.{name}", settings=content, source=self.source)

    def checked(self, defaults: Mapping[str, Any], fixed: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
        """Values of the settings in `defaults`.

        Args:
            defaults: settings that are used, with mmaction2's own values where the config is silent; `None` as a default means
                that the config must say it.
            fixed: settings for which the values listed here mean what is built; any other value is refused.

        Raises:
            ModelError: for a setting that would build something else, or is not known.
        """
        for key, value in self.settings.items():
            if key in fixed:
                if plain(value) not in fixed[key]:
                    raise self.error(f"have no {key} other than {' or '.join(map(repr, fixed[key]))}", value)
            elif key not in defaults and key not in _TRAINING | _CHECKED_APART:
                raise self.error(f"have no {key}", value)
        values = {key: plain(self.settings.get(key, default)) for key, default in defaults.items()}
        silent = [key for key, value in values.items() if value is None]
        if silent:
            raise self.error(f"say {silent[0]}", None)
        return values

    def batch_norm(self) -> None:
        """Refuse a `norm_cfg` that is no batch normalisation with PyTorch's own settings."""
        norm = self.settings.get("norm_cfg", {"type": "BN"})
        if not isinstance(norm, Mapping) or norm.get("type") not in _BATCH_NORMS or norm.get("eps", 1e-5) != 1e-5:
            raise self.error("normalise by BatchNorm", norm)

    def layer_norm_eps(self, default: float) -> float:
        """The ε of layer normalisation; `default` is that of the component where it has no `norm_cfg`."""
        norm = self.settings.get("norm_cfg", {"type": "LN", "eps": default})
        if not isinstance(norm, Mapping) or norm.get("type") != "LN":
            raise self.error("normalise by LayerNorm", norm)
        return float(norm.get("eps", 1e-5))  # mmcv, cnn/bricks/norm.py: 1e-5 where a dict does not say

    def check_clip(self, spec: ClipSpec, *, frames: int, size: int) -> None:
        """Refuse a clip for which the network's tables of positions are not built."""
        if (spec.frames, spec.size) != (frames, (size, size)):
            raise ModelError(
                f"`frames` and `size` of {self.source} must be {frames} and {size}, as its {self.name} says. Got"
                f" {spec.frames} and {spec.size or 'native'}. Say them by the options, or leave these out."
            )

    def error(self, rule: str, value: Any) -> ModelError:
        """That a setting cannot be taken."""
        return ModelError(
            f"`{self.name}` of {self.source} must {rule}. Got {excerpt(plain(value))}. Use file: with a function that builds it."
        )


def plain(value: Any) -> Any:
    """Lists as tuples, so that either spelling compares equal."""
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return {key: plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value
