"""Every service and method of the contract, read from its descriptors."""

import importlib
import pkgutil

from google.protobuf.descriptor import MethodDescriptor

import tocsin.v1

_MODULES = [
    importlib.import_module(f"tocsin.v1.{module.name}")
    for module in pkgutil.iter_modules(tocsin.v1.__path__)
    if module.name.endswith("_pb2")
]

SERVICES = {
    service.full_name: service for module in _MODULES for service in module.DESCRIPTOR.services_by_name.values()
}
"""The services, by full name."""

METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method for service in SERVICES.values() for method in service.methods
}
"""The methods, by the name under which they are called."""
