"""Who receives a ticket, and who never sees it: over the register of data/."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_register import register

from bot.tickets.routing import Route, route
from bot.tickets.ticket import FLAGS, KINDS

JEDDAH = "موظف في فرع جده"
LICENSE = next(s.id for s in register().services.values() if s.unit == "industrial_licensing")
APPOINTMENT = "appointment_booking"  # the contact centre's own


@pytest.mark.parametrize(
    ("matter", "unit", "hidden"),
    [
        ({}, "contact_centre", set()),
        ({"category": "processing_delay", "service": LICENSE}, "industrial_licensing", set()),
        ({"service": "gone_long_ago"}, "contact_centre", set()),
        ({"category": "accessibility", "service": LICENSE}, "beneficiary_care", set()),
        ({"category": "fees_payment"}, "finance", set()),
        ({"kind": "inquiry", "category": "fees_payment", "service": LICENSE}, "industrial_licensing", set()),
        ({"kind": "inquiry", "category": "fees_payment", "subcategory": "fees_refund"}, "finance", set()),
        ({"kind": "report", "category": "safety_environment"}, "inspection", set()),
        # never to the one complained of
        ({"category": "integrity"}, "internal_audit", set()),
        ({"category": "integrity", "service": LICENSE}, "internal_audit", {"industrial_licensing"}),
        ({"category": "integrity", "service": LICENSE, "text_folded": JEDDAH}, "internal_audit",
         {"industrial_licensing", "branch_jeddah"}),
        ({"category": "staff_conduct", "service": LICENSE}, "contact_centre", {"industrial_licensing"}),
        ({"category": "staff_conduct", "text_folded": JEDDAH}, "contact_centre", {"branch_jeddah"}),
        ({"category": "staff_conduct", "subcategory": "staff_of_contact_centre"}, "internal_audit", {"contact_centre"}),
        ({"category": "staff_conduct", "service": APPOINTMENT}, "internal_audit", {"contact_centre"}),
        ({"category": "facilities", "text_folded": JEDDAH}, "contact_centre", {"branch_jeddah"}),
        ({"category": "processing_delay", "service": LICENSE, "text_folded": JEDDAH}, "contact_centre", {"branch_jeddah"}),
        ({"category": "facilities", "text_folded": "اسكن في جده"}, "contact_centre", set()),
        # confidential
        ({"flags": {"confidential"}, "service": LICENSE}, "internal_audit", {"industrial_licensing"}),
        ({"category": "staff_conduct", "text_folded": "موظف التراخيص صرخ علي"}, "contact_centre", {"industrial_licensing"}),
        ({"category": "processing_delay", "text_folded": "موظف التراخيص تاخر"}, "contact_centre", set()),
        ({"flags": {"confidential"}, "category": "staff_conduct", "service": LICENSE}, "internal_audit",
         {"industrial_licensing"}),
        ({"flags": {"urgent", "abuse"}, "service": LICENSE}, "industrial_licensing", set()),
        # what an existing ticket is hidden from stays
        ({"category": "staff_conduct", "hidden_from": {"contact_centre"}}, "internal_audit", {"contact_centre"}),
        ({"hidden_from": {"contact_centre", "internal_audit"}}, "internal_audit", {"contact_centre"}),
    ],
)  # fmt: skip
def test_a_matter_goes_to(matter: dict[str, Any], unit: str, hidden: set[str]) -> None:
    to = route(register(), **{"kind": "complaint", **matter})
    assert to == Route(unit, frozenset(hidden), unit == "internal_audit")


@given(
    st.sampled_from(KINDS),
    st.none() | st.sampled_from(list(register().categories)),
    st.none() | st.sampled_from(list(register().services)),
    st.sampled_from(["", *(b.keywords[0] for b in register().branches.values())]),
    st.sets(st.sampled_from(FLAGS)),
)
def test_always_to_a_unit_that_may_see_it(
    kind: str, category: str | None, service: str | None, text: str, flags: set[str]
) -> None:
    house = register()
    to = route(house, kind, category, None, service, text, flags)
    assert to.unit in house.units and to.unit not in to.hidden_from
    assert house.units[to.unit].role != "branch"
    assert not {b.unit for b in house.branches_named(text)} - to.hidden_from
    if category in ("staff_conduct", "integrity"):
        assert house.units[to.unit].role in ("contact_centre", "internal_audit")
        assert not service or house.services[service].unit in to.hidden_from
    if "confidential" in flags:
        assert to.needs_to_know
