"""`plumbline encoder`: which encoder made a field's vectors, as the operator says."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from connectors.errors import PlumblineError
from console import catalogue
from console.cli.context import Context
from console.cli.output import pairs
from console.settings import Address, readable


def encoder(args: Namespace, context: Context) -> int:
    """Show the encoder of a vector field and how it is known; `set NAME` chooses it, `clear` forgets that."""
    from connectors.model import Target

    words: list[str] = args.action
    if words and (words[0], len(words)) not in (("set", 2), ("clear", 1)):
        raise PlumblineError(
            "usage",
            "It is `plumbline encoder ADDRESS`, with `set NAME` or `clear` after it.",
            where="encoder",
        )
    ws = context.workspace
    typed = ws.address(args.address)
    description = ws.connector(typed.connection).describe(Target(typed.collection, typed.tenant))
    field = ws.field(description, typed)
    real = Address(typed.connection, description.target.collection, vector=field.name)
    if words:
        ws.set_choice(real, words[1] if words[0] == "set" else None)
    known = catalogue.encoder_of(ws, typed, description, field)
    choice = ws.choice(real)
    warnings: list[str] = []
    if choice is not None and known is not None and known.name != choice:
        warnings.append(f"`{known.name}` stands in the settings, which go before the choice.")
    made = ws.encoder_specs()[known.name].dimension if known is not None else None
    if known is not None and made is not None and field.dimension not in (None, made):
        warnings.append(
            f"`{known.name}` makes vectors of {made} dimensions, and this field has {field.dimension}: "
            "it can't have made them."
        )
    data: dict[str, Any] = {
        "address": str(real),
        "encoder": known.to_json() if known is not None else None,
        "choice": choice,
        "encoders": sorted(ws.encoder_specs()),
        "warnings": warnings,
    }
    for warning in warnings:
        context.out.note(f"{readable(real)}: {warning}")
    context.out.show(
        data,
        lambda: pairs(
            [
                ("Address", readable(real)),
                ("Encoder", known.name if known else "not known"),
                ("Known by", known.known_by if known else None),
                ("Fingerprint", known.fingerprint if known else None),
                ("Choice", choice),
                ("Configured", ", ".join(data["encoders"])),
            ]
        ),
    )
    return 0
