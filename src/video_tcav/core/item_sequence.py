"""Results that are sequences: their items by index and in a loop, and a slice as a result of the same type."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self, TypeVar, overload

Item = TypeVar("Item")


class ItemSequence(Sequence[Item]):
    """Base of a dataclass that is a sequence of the items in one of its fields.

    Attributes:
        FIELD: the field, a tuple with one entry an item.
    """

    FIELD: ClassVar[str]

    @property
    def _items(self) -> Sequence[Item]:
        return getattr(self, self.FIELD)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Item | Self:
        if not isinstance(index, slice):
            return self._items[index]
        instance: Any = self  # of a dataclass, which the type of this class does not say
        return replace(instance, **{self.FIELD: getattr(self, self.FIELD)[index]})
