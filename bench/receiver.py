"""A webhook receiver on raw asyncio: takes every request and answers 200, or never (`--hang`).

`python -m bench.receiver HOST:PORT [--hang]`. What it costs is taken from the same cores as the daemon, so it does as
little as can be: it looks for the end of the head and for the length, and at nothing else. `/-/ready` is answered
either way.
"""

import asyncio
import re
import sys

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hangs: bool) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if length is not None:
                await reader.readexactly(int(length[1]))
            if hangs and not head.startswith(b"GET /-/ready "):
                await asyncio.sleep(3_600)
            writer.write(_OK)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _main(address: str, hangs: bool) -> None:
    host, _, port = address.rpartition(":")
    server = await asyncio.start_server(
        lambda reader, writer: _serve(reader, writer, hangs), host, int(port), backlog=1_000
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], "--hang" in sys.argv[2:]))
