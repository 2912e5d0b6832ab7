"""`tocsin metrics`: the daemon's metrics, without a gateway in between.

They are Prometheus' text, printed byte for byte.
"""

import click

from tocsin.v1.monitoring_pb2 import GetMetricsRequest

from . import output
from .commands import Command, Settings, pass_settings


@click.command(cls=Command)
@pass_settings
def metrics(settings: Settings) -> None:
    """Print the daemon's metrics in Prometheus' text format.

    With -o json: the message around it, in which the text is base64.
    """
    with settings.connect() as daemon:
        response = daemon.call(daemon.monitoring.GetMetrics, GetMetricsRequest())
    if settings.json:
        output.print_json(response)
    else:
        click.echo(response.data, nl=False)
