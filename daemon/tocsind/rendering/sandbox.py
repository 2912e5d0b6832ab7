"""The templates' world: Jinja2's sandbox, with OnCall's filters and `time()`.

Rules
- Nothing of Python's inside can be reached: no name with an underscore, no file, no other template. What is left to a
  template is to take long or to take much, and of that the process has its limits (worker.py).
- Lists and dictionaries can be changed, as in OnCall: its own templates use `pop` on copies. What is changed is the
  copy of the payload that this process parsed; where a template so much as touched such a method, the next one gets a
  fresh copy.
- `range` is allowed, though OnCall refuses it: there it was the only thing that stopped a template from running for
  ever. The sandbox makes at most 100,000 numbers of it.
- What depends on more than the payload (`time()`, `random`, `lipsum`) is noticed: such a result cannot stand for a
  later one.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from jinja2 import BaseLoader, Template
from jinja2.sandbox import SandboxedEnvironment, modifies_known_mutable
from jinja2.utils import generate_lorem_ipsum

from tocsind.rendering.filters import FILTERS

FILE = "<template>"
"""What Jinja2 calls the file of a template in tracebacks."""

_MOST_CACHED = 4_000
_MOST_CACHED_CHARACTERS = 2_000_000


class Sandbox(SandboxedEnvironment):
    """One for all templates, with the compiled ones. `touched`: a template may have changed what it was given.
    `varying`: its result depends on more than that."""

    def __init__(self) -> None:
        super().__init__(loader=BaseLoader(), autoescape=False)
        self.filters.update(FILTERS)
        self.filters["random"] = self._noticed(lambda sequence: random.choice(list(sequence)))
        self.globals["time"] = self._noticed(lambda: datetime.fromtimestamp(self.now / 1e6, UTC))
        self.globals["lipsum"] = self._noticed(generate_lorem_ipsum)
        self.now = 0
        self.touched = False
        self.varying = False
        self._compiled: dict[str, Template] = {}
        self._characters = 0

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """As Jinja2 decides; methods that change something are noticed."""
        if modifies_known_mutable(obj, attr):
            self.touched = True
        return super().is_safe_attribute(obj, attr, value)

    def compiled(self, source: str) -> Template:
        """Returns a template, compiled if it was not yet; raises what Jinja2 raises where it cannot be."""
        found = self._compiled.get(source)
        if found is None:
            found = self.from_string(source)
            self._characters += len(source)
            if len(self._compiled) >= _MOST_CACHED or self._characters > _MOST_CACHED_CHARACTERS:
                self.forget()
                self._characters = len(source)
            self._compiled[source] = found
        return found

    def forget(self) -> None:
        """Forgets all compiled templates."""
        self._compiled.clear()
        self._characters = 0

    def _noticed(self, of: Callable[..., Any]) -> Callable[..., Any]:
        def noticed(*args: Any, **kwargs: Any) -> Any:
            self.varying = True
            return of(*args, **kwargs)

        return noticed
