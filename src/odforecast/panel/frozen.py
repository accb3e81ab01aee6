"""Fields that are mappings: read-only where they are held, and plain where they travel."""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import Any, ClassVar


class Frozen:
    """Of a frozen dataclass with mappings, whose ``__post_init__`` calls :meth:`_freeze`."""

    #: The fields that are mappings.
    _mappings: ClassVar[tuple[str, ...]]

    def _freeze(self) -> None:
        for name in self._mappings:
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __getstate__(self) -> dict[str, object]:
        # Caches are rebuilt; a mapping proxy does not pickle.
        state = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return state | {name: dict(getattr(self, name)) for name in self._mappings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()  # type: ignore[attr-defined]
