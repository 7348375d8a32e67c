"""Asks: what people may ask of a market, by name and in plain fields, as commands.

Rule: one table says which commands a door may pass on; who asks and when is the door's
word, never the caller's. A noun that a command carries is written flat.
Invariant: no text or number reaches the core in a type that its field does not have, and
a field that nobody knows is an error, not a silence.
Worked number: add_budget {"id": "lab", "owner": "uni", "name": "Lab", "limit": "12.5"}
becomes AddBudget(limit=12_500_000_000_000).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, structs

from allmende.core import abroad_commands as bc
from allmende.core import charter_commands as h
from allmende.core import check_commands as kc
from allmende.core import commands as c
from allmende.core import drill_commands as dc
from allmende.core import evidence_commands as v
from allmende.core import exchange_commands as x
from allmende.core import jury_commands as jc
from allmende.core import reward_commands as rc
from allmende.core import title_commands as t
from allmende.core.refusals import Refused, Why
from allmende.core.units import Instant
from allmende.doors import lots
from allmende.doors.plain import AMOUNTS, INSTANTS, MICROGRAMS, RATES, inward

EXCHANGE: dict[str, type[c.Command]] = {
    "list_instrument": x.ListInstrument,
    "mint_lots": x.MintLots,
    "retire_lots": x.RetireLots,
    "place_order": x.PlaceOrder,
    "amend_order": x.AmendOrder,
    "cancel_order": x.CancelOrder,
    "cancel_orders": x.CancelOrders,
    "open_call": x.OpenCall,
    "request_quotes": x.RequestQuotes,
    "quote": x.Quote,
    "accept_quote": x.AcceptQuote,
    "redeem": x.Redeem,
    "claim_default": x.ClaimDefault,
    "plead_force_majeure": x.PleadForceMajeure,
    "judge_force_majeure": x.JudgeForceMajeure,
    "set_tier": x.SetTier,
}
"""The exchange's commands: prices and quantities of these are written in lots."""
EVIDENCE: dict[str, type[c.Command]] = {
    "file_evidence": v.FileEvidence,
    "import_evidence": v.ImportEvidence,
    "confirm_evidence": v.ConfirmEvidence,
    "withdraw_evidence": v.WithdrawEvidence,
    "assess": v.Assess,
    "withdraw_assessment": v.WithdrawAssessment,
    "set_floor": v.SetFloor,
}
PEERS: dict[str, type[c.Command]] = {
    "add_peer": bc.AddPeer,
    "remove_peer": bc.RemovePeer,
    "suspend_peer": bc.SuspendPeer,
    "resume_peer": bc.ResumePeer,
    "send_abroad": bc.SendAbroad,
    "return_passage": bc.ReturnPassage,
}
COMMANDS: dict[str, type[c.Command]] = {
    "add_member": c.AddMember,
    "add_budget": c.AddBudget,
    "set_budget": c.SetBudget,
    "set_carbon_cap": c.SetCarbonCap,
    "issue_key": c.IssueKey,
    "revoke_key": c.RevokeKey,
    "register_asset": c.RegisterAsset,
    "deposit": c.Deposit,
    "mint": c.Mint,
    "transfer": c.Transfer,
    "register_title": c.RegisterTitle,
    "mint_title": t.MintTitle,
    "post_offer": c.PostOffer,
    "restate_energy": c.RestateEnergy,
    "withdraw_offer": c.WithdrawOffer,
    "close_batch": c.CloseBatch,
    "set_parameter": c.SetParameter,
    "give_charter": h.GiveCharter,
    "import_actors": c.ImportActors,
    "open_case": x.OpenCase,
    "decide_case": x.DecideCase,
    "start_drill": dc.StartDrill,
    "end_drill": dc.EndDrill,
    "call_jury": jc.CallJury,
    "draw_jury": jc.DrawJury,
    "open_check": kc.OpenCheck,
    "commit": kc.Commit,
    "reveal": kc.Reveal,
    "name_payee": rc.NamePayee,
    "attest_training": rc.AttestTraining,
    **PEERS,
    **EVIDENCE,
    **EXCHANGE,
}
"""Everything else (reserve, capture, tick, ...) is the house's own and has no door."""

POSTS = {
    "/api/import_member": "A member's tree from another market, docs/portability.md. Operators."
}
"""What is posted and is no command of its own."""

NOUN = {
    "add_member": "member",
    "issue_key": "key",
    "register_title": "title",
    "post_offer": "offer",
    "list_instrument": "instrument",
    "file_evidence": "evidence",
    "assess": "assessment",
    "add_peer": "peer",
}
"""Commands that carry one noun, whose fields stand flat in the request."""
OURS = frozenset({"by", "at", "idem"})
SET_BY_DOOR = {"issue_key": frozenset({"hash"}), "post_offer": frozenset({"sealed_secret"})}
"""Fields of the noun that come from `given` alone: what is secret is made or sealed here."""
_NAMED = {"id", "account"}
MADE_UP = {
    "Key": {"id", "role"},
    "Offer": {"asset"},
    "Instrument": {"issuer", "title", "model", "zone", "offer"},
    "CancelOrders": {"account"},
    **dict.fromkeys(("PlaceOrder", "RequestQuotes", "Quote", "Redeem", "ClaimDefault"), _NAMED),
}
"""Fields that the door fills in where a caller leaves them out."""
ONLY_DOOR = {
    "secret": {"type": "string", "description": "The provider's own key; sealed at once."},
    "active_b": {"type": "string", "description": "Billions of parameters per token, for energy."},
    "total_b": {"type": "string", "description": "Billions of parameters in all, for energy."},
}
"""Fields of an offer that only the door reads, with what the description says of them."""


def find(name: str) -> str:
    """The command's one name, from kebab or snake case. Raises Refused(NOT_FOUND)."""
    name = name.replace("-", "_").lower()
    if name not in COMMANDS:
        raise Refused(Why.NOT_FOUND, f"Commands are {', '.join(COMMANDS)}.")
    return name


def flat(name: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields, taken out of the noun if they came wrapped in it."""
    noun = NOUN.get(name)
    inner = fields.get(noun) if noun else None
    return inner if isinstance(inner, dict) and len(fields) == 1 else fields


def command(
    name: str,
    fields: Mapping[str, Any],
    *,
    by: str,
    at: Instant,
    idem: str = "",
    given: Mapping[str, Any] | None = None,
    lot: int = 0,
) -> c.Command:
    """The command `name` with `fields` as a caller wrote them and `given` as the door says.

    `lot` is grains in a lot, where the command is one of the exchange's.
    """
    kind = COMMANDS[name]
    noun = NOUN.get(name)
    _require_known(name, fields)
    values: dict[str, Any] = {**inward(fields), **(given or {})}
    if lot:
        values = lots.inward(values, lot)
    stamp = {"by": by, "at": at, "idem": idem}
    whole = {**({noun: values} if noun else values), **stamp}
    try:
        made = msgspec.convert(whole, kind)
    except msgspec.ValidationError as error:
        raise Refused(Why.BAD_VALUE, f"{error}.") from None
    _require_taken(whole, made)
    return made


def _require_taken(told: object, made: object, where: str = "") -> None:
    """Refuse what msgspec would drop in silence: fields that a struct does not have."""
    if isinstance(told, list | tuple) and isinstance(made, tuple):
        for one, other in zip(told, made, strict=True):
            _require_taken(one, other, where)
    elif isinstance(told, dict) and isinstance(made, Struct):
        unknown = sorted(set(told) - set(made.__struct_fields__))
        if unknown:
            known = ", ".join(made.__struct_fields__)
            raise Refused(
                Why.BAD_VALUE, f"Unknown in {where}: {', '.join(unknown)[:200]}. There are {known}."
            )
        for name, value in told.items():
            _require_taken(value, getattr(made, name), name)


def shape(name: str) -> type[Struct]:
    """The struct whose fields a caller writes for this command."""
    noun = NOUN.get(name)
    kind = COMMANDS[name]
    if noun is None:
        return kind
    found = next(field.type for field in structs.fields(kind) if field.name == noun)
    assert isinstance(found, type) and issubclass(found, Struct)
    return found


def _require_known(name: str, fields: Mapping[str, Any]) -> None:
    hidden = OURS | SET_BY_DOOR.get(name, frozenset())
    names = [field.name for field in structs.fields(shape(name)) if field.name not in hidden]
    known = [lots.LABELS.get(field, field) for field in names]
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise Refused(
            Why.BAD_VALUE, f"Unknown: {', '.join(unknown)[:200]}. Fields are {', '.join(known)}."
        )


# Description --------------------------------------------------------------------------


def openapi(market: str, lookups: Mapping[str, str]) -> dict[str, Any]:
    """OpenAPI 3.1 of every command and of the `lookups` (path -> what it says)."""
    shapes = {name: shape(name) for name in COMMANDS}
    _, parts = msgspec.json.schema_components(
        set(shapes.values()), ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, Any] = {f"/api/{name}": _post(name, kind) for name, kind in shapes.items()}
    for path, says in lookups.items():
        paths[path] = {"get": {"summary": says, "responses": {"200": {"description": says}}}}
    for path, says in POSTS.items():
        paths[path] = {"post": {"summary": says, "responses": {"200": {"description": says}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{market}: accounts", "version": "1"},
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": {name: _described(part) for name, part in parts.items()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _post(name: str, kind: type[Struct]) -> dict[str, Any]:
    says = (COMMANDS[name].__doc__ or name.replace("_", " ").capitalize()).strip()
    schema = {"$ref": f"#/components/schemas/{kind.__name__}"}
    header = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    return {
        "post": {
            "operationId": name,
            "summary": says.split("\n")[0],
            "parameters": [header],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": {"200": {"description": "The events that this led to."}},
        }
    }


def _described(part: dict[str, Any]) -> dict[str, Any]:
    """A struct's schema as callers write it: money as text, and no field of ours."""
    hidden = OURS | {"type", "hash", "sealed_secret"}
    title = part.get("title", "")
    fields = dict(
        lots.described(title, name, schema) or (name, _field(name, schema, title == "Tariff"))
        for name, schema in part.get("properties", {}).items()
        if name not in hidden
    )
    if title == "Offer":
        fields |= ONLY_DOOR
    optional = hidden | MADE_UP.get(title, set())
    required = [
        lots.LABELS.get(name, name) for name in part.get("required", ()) if name not in optional
    ]
    return {**part, "properties": fields, "required": required}


def _field(name: str, schema: dict[str, Any], in_tariff: bool) -> dict[str, Any]:
    decimal = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
    if in_tariff or name in RATES:
        return {**decimal, "description": "Credits per million units.", "examples": ["0.15"]}
    if name in AMOUNTS:
        return {**decimal, "description": "Credits.", "examples": ["12.5"]}
    if name in INSTANTS:
        return {"type": "string", "format": "date-time"}
    if name in MICROGRAMS:
        return {"type": ["string", "integer", "null"], "description": "Grams of CO2e as text, "
                "or whole micrograms; null is no cap.", "examples": ["250.5"]}  # fmt: skip
    return schema
