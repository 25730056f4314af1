"""Settings: what is configured, from where it came, and nothing secret in any message or repr."""

from console.settings.address import Address, encode, parse_address, readable
from console.settings.gate import GateSettings
from console.settings.load import home_folder, load
from console.settings.model import (
    DEMO,
    VERSION_FIELD,
    Accepted,
    CollectionSettings,
    EncoderSettings,
    Entry,
    ImageLimits,
    ImageSettings,
    Retention,
    Settings,
    demo_mark,
    demo_spec,
    demo_store,
)
from console.settings.schema import nearest

__all__ = [
    "DEMO",
    "VERSION_FIELD",
    "Accepted",
    "Address",
    "CollectionSettings",
    "EncoderSettings",
    "Entry",
    "GateSettings",
    "ImageLimits",
    "ImageSettings",
    "Retention",
    "Settings",
    "demo_mark",
    "demo_spec",
    "demo_store",
    "encode",
    "home_folder",
    "load",
    "nearest",
    "parse_address",
    "readable",
]
