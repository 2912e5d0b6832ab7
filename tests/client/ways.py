"""The two clients behind one face, so that a test holds both to the same."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import tocsin


class Way(Protocol):
    """One of the two clients."""

    def call(self, method: str, request: Any, **options: Any) -> Any: ...
    def pages(self, method: str, request: Any) -> list[Any]: ...
    def watch(self, request: Any, count: int, then: Callable[[Any], None] = print, **options: Any) -> list[Any]: ...
    def close(self) -> None: ...


class Plain:
    """The client for threads."""

    def __init__(self, target: str, **options: Any) -> None:
        self.client = tocsin.connect(target, **options)

    def call(self, method: str, request: Any, **options: Any) -> Any:
        return getattr(self.client.alert_groups, method)(request, **options)

    def pages(self, method: str, request: Any) -> list[Any]:
        return list(self.client.pages(getattr(self.client.alert_groups, method), request))

    def watch(self, request: Any, count: int, then: Callable[[Any], None] = print, **options: Any) -> list[Any]:
        """The first messages of a watch, fewer if it ends by itself; `then` is called with each."""
        messages = []
        with self.client.watch(request, **options) as watch:
            for message in watch:
                messages.append(message)
                then(message)
                if len(messages) == count:
                    break
        return messages

    def close(self) -> None:
        self.client.close()


class Asyncio:
    """The client for asyncio."""

    def __init__(self, target: str, **options: Any) -> None:
        self._runner = asyncio.Runner()

        async def connect() -> tocsin.aio.Client:
            return tocsin.aio.connect(target, **options)

        self.client = self._runner.run(connect())

    def call(self, method: str, request: Any, **options: Any) -> Any:
        async def call() -> Any:
            return await getattr(self.client.alert_groups, method)(request, **options)

        return self._runner.run(call())

    def pages(self, method: str, request: Any) -> list[Any]:
        async def pages() -> list[Any]:
            return [page async for page in self.client.pages(getattr(self.client.alert_groups, method), request)]

        return self._runner.run(pages())

    def watch(self, request: Any, count: int, then: Callable[[Any], None] = print, **options: Any) -> list[Any]:
        async def read() -> list[Any]:
            messages = []
            async with self.client.watch(request, **options) as watch:
                async for message in watch:
                    messages.append(message)
                    then(message)
                    if len(messages) == count:
                        break
            return messages

        return self._runner.run(read())

    def close(self) -> None:
        self._runner.run(self.client.close())
        self._runner.close()


Connect = Callable[..., Way]
"""Makes a client of one of the two kinds, which the test need not close."""
