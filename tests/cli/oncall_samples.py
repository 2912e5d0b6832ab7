"""What Grafana OnCall's public API returns, as far as the import reads it: written by hand, with made-up ids."""

from typing import Any

TOKEN = "aB3dE6gH9jK2mN5pQ8sT1vW4y"


def integration(id_: str = "CPROD11111111", **values: Any) -> dict[str, Any]:
    """Return an integration of an Alertmanager that has nothing but what each has."""
    sample: dict[str, Any] = {
        "id": id_,
        "name": f"Alertmanager {id_}",
        "description_short": None,
        "team_id": None,
        "link": f"https://oncall.example/integrations/v1/alertmanager/{TOKEN}/",
        "inbound_email": None,
        "type": "alertmanager",
        "default_route": {
            "id": f"R{id_}",
            "escalation_chain_id": None,
            "slack": {"channel_id": None, "enabled": True},
            "telegram": {"id": None, "enabled": False},
        },
        "templates": {
            "grouping_key": None,
            "resolve_signal": None,
            "acknowledge_signal": None,
            "source_link": None,
            "slack": {"title": None, "message": None, "image_url": None},
            "web": {"title": None, "message": None, "image_url": None},
            "sms": {"title": None},
            "phone_call": {"title": None},
            "telegram": {"title": None, "message": None, "image_url": None},
            "email": {"title": None, "message": None},
        },
        "heartbeat": None,
        "maintenance_mode": None,
        "maintenance_started_at": None,
        "maintenance_end_at": None,
    }
    return sample | values


def route(id_: str, condition: str, position: int = 0, of: str = "CPROD11111111", **values: Any) -> dict[str, Any]:
    """Return a route that is not the default one, with a condition in Jinja2."""
    sample: dict[str, Any] = {
        "id": id_,
        "integration_id": of,
        "escalation_chain_id": None,
        "routing_type": "jinja2",
        "routing_regex": condition,
        "position": position,
        "is_the_last_route": False,
        "slack": {"channel_id": None, "enabled": True},
        "telegram": {"id": None, "enabled": False},
    }
    return sample | values


def default_route(of: str = "CPROD11111111", **values: Any) -> dict[str, Any]:
    """Return the default route, as the list of routes has it."""
    return route(f"R{of}", "", 9, of, is_the_last_route=True) | values


def page(results: list[dict[str, Any]], count: int | None = None) -> dict[str, Any]:
    """Return a page with these."""
    return {
        "count": len(results) if count is None else count,
        "next": None,
        "previous": None,
        "results": results,
        "page_size": 50,
        "current_page_number": 1,
        "total_pages": 1,
    }


def chain(id_: str, name: str, **values: Any) -> dict[str, Any]:
    """Return an escalation chain."""
    return {"id": id_, "name": name, "team_id": None} | values


def policy(of: str, position: int, kind: str, **values: Any) -> dict[str, Any]:
    """Return a step of an escalation chain, with the fields that one of its kind has."""
    return {"id": f"E{of}{position}", "escalation_chain_id": of, "position": position, "type": kind} | values


def user(id_: str, username: str) -> dict[str, Any]:
    """Return a user."""
    mail = f"{username}@example.org"
    return {
        "id": id_,
        "email": mail,
        "slack": None,
        "username": username,
        "role": "user",
        "timezone": "UTC",
        "teams": [],
    }


def schedule(id_: str, name: str) -> dict[str, Any]:
    """Return a schedule."""
    return {"id": id_, "team_id": None, "name": name, "type": "web", "time_zone": "UTC", "on_call_now": [], "slack": {}}


def webhook(id_: str, name: str) -> dict[str, Any]:
    """Return an outgoing webhook, with the least that says what it is."""
    return {"id": id_, "name": name, "team": None, "url": "https://hook.example/"}
