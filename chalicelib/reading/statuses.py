"""What people write of a visit's status in English, Spanish, German and French."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from chalicelib.domain.sheets import IssueKind
from chalicelib.domain.visits import Status
from chalicelib.reading.grids import folded
from chalicelib.reading.parsed import Parsed, likest, refused, understood

_WORDS: Final[Mapping[Status, str]] = {
    Status.REQUESTED: "requested request pending open tentative waiting, solicitada solicitado pendiente, "
    "por confirmar angefragt anfrage offen ausstehend vorgemerkt unbestatigt, demandee demande en attente a confirmer, "
    "unconfirmed not confirmed sin confirmar no confirmada no confirmado nicht bestatigt non confirmee non confirme",
    Status.CONFIRMED: "confirmed accepted booked fixed ok okay, confirmada confirmado aceptada aceptado reservada, "
    "bestatigt zugesagt fest gebucht, confirmee confirme acceptee accepte",
    Status.DECLINED: "declined rejected refused, rechazada rechazado denegada, abgelehnt, refusee refuse declinee",
    Status.CANCELLED: "cancelled canceled, cancelada cancelado anulada anulado, abgesagt storniert entfallt, "
    "annulee annule",
    Status.COMPLETED: "completed done held visited, realizada realizado hecha hecho completada completado, "
    "erledigt abgeschlossen stattgefunden durchgefuhrt, effectuee effectue terminee termine faite fait realisee",
    Status.NO_SHOW: "noshow missed absent, no se presento no presentado ausente no vino, "
    "nicht erschienen nicht gekommen, absente pas venu pas venue",
}
_PHRASES: Final = (
    "por confirmar|en attente|a confirmer|not confirmed|sin confirmar|no confirmada|no confirmado|nicht bestatigt|"
    "non confirmee|non confirme|no se presento|no presentado|no vino|nicht erschienen|nicht gekommen|pas venue|pas venu"
)


def _phrases(text: str) -> list[str]:
    return [phrase or word for phrase, word in re.findall(rf"({_PHRASES})|(\w+)", text)]


_STATUSES: Final = {phrase.replace(" ", ""): status for status, text in _WORDS.items() for phrase in _phrases(text)}


def parse_status(text: str) -> Parsed:
    plain = re.sub(r"[\W_]+", "", folded(text))
    if plain in _STATUSES:
        return understood(_STATUSES[plain].value)
    like = likest(plain, _STATUSES, 0.85) if len(plain) > 4 else None
    return understood(_STATUSES[like].value, IssueKind.CORRECTED) if like else refused(IssueKind.UNREADABLE)
