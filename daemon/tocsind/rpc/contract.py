"""The contract as the daemon serves it: its modules, and the names of its services."""

from tocsin.v1 import (
    access_pb2,
    alert_groups_pb2,
    audit_pb2,
    contact_points_pb2,
    escalation_chains_pb2,
    heartbeats_pb2,
    intake_pb2,
    integrations_pb2,
    messages_pb2,
    monitoring_pb2,
    notes_pb2,
    routes_pb2,
    templates_pb2,
)

MODULES = (
    access_pb2,
    alert_groups_pb2,
    audit_pb2,
    contact_points_pb2,
    escalation_chains_pb2,
    heartbeats_pb2,
    intake_pb2,
    integrations_pb2,
    messages_pb2,
    monitoring_pb2,
    notes_pb2,
    routes_pb2,
    templates_pb2,
)
SERVICES = sorted(service.full_name for module in MODULES for service in module.DESCRIPTOR.services_by_name.values())
"""The full names of all services of the contract."""
