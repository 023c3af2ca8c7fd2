"""What the model itself says of class clips: the target's value, the class it predicts, and the explained class's probability."""

from typing import Any, NamedTuple, Self

from jaxtyping import Float
from torch import Tensor

from video_tcav.models.devices import where_float64
from video_tcav.models.output_kinds import Outputs
from video_tcav.models.targets import Target


class ClassAnswer(NamedTuple):
    """What the forward behind a clip's gradients has said anyway, so that nothing is passed a second time for it.

    Attributes:
        target: value of the target.
        predicted: index of the predicted class: the most probable one where classes exclude each other, else the explained
            class if its probability is 1/2 or more; `None` where that is less, and for plain numbers.
        probability: of the explained class; `None` for plain numbers.
    """

    target: float
    predicted: int | None = None
    probability: float | None = None

    def is_wrong(self, class_index: int) -> bool:
        """Whether the model predicts another class than this one; plain numbers cannot be wrong."""
        return self.probability is not None and self.predicted != class_index

    @classmethod
    def decode(cls, value: Any) -> Self:
        """An answer as JSON has it; earlier versions wrote the target's value alone."""
        return cls(*value) if isinstance(value, list) else cls(value)


def class_answers(
    logits: Float[Tensor, "clip class"], values: Float[Tensor, " clip"], target: Target
) -> list[ClassAnswer]:
    """The answer for each clip of a batch.

    Args:
        logits: of the clips.
        values: of the target.
        target: whose class is explained.
    """
    outputs, index = Outputs(kind=target.outputs), target.class_index
    if not outputs.has_probabilities:
        return [ClassAnswer(value) for value in values.tolist()]
    # float64: the mean of probabilities near 1 is compared with 0.99, and float32 logits of 20 round to exactly 1
    probabilities = outputs.probabilities(where_float64(logits).double())
    shares = probabilities[:, index].tolist()
    if outputs.is_exclusive:
        predicted: list[int | None] = list(probabilities.argmax(1).tolist())
    else:
        predicted = [index if share >= 0.5 else None for share in shares]
    return [ClassAnswer(*answer) for answer in zip(values.tolist(), predicted, shares, strict=True)]
