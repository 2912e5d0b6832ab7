"""The yardstick: a Falcon handler that reads the body and says ok, on the gateway's own server and settings."""

import sys

import falcon
import falcon.asgi

from tocsin_gateway import logs, server


class Ok:
    """Takes everything."""

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, **_: str) -> None:
        """Reads the body."""
        await req.stream.read()
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "ok\n"

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, **_: str) -> None:
        """Has nothing to read."""
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "ok\n"


def create_app() -> falcon.asgi.App[falcon.asgi.Request, falcon.asgi.Response]:
    """The same URLs as the gateway's."""
    app = falcon.asgi.App(media_type=falcon.MEDIA_TEXT)
    app.req_options.strip_url_path_trailing_slash = True
    app.add_route("/integrations/v1/{integration_type}/{credential}", Ok())
    app.add_route("/integrations/v1/{integration_type}/{credential}/heartbeat", Ok())
    app.add_route("/-/ready", Ok())
    return app


if __name__ == "__main__":
    logging = logs.set_up("info")
    server.raise_open_files_limit()
    server.Server(sys.argv[1], create_app, logging, lambda: logging, ()).run()
