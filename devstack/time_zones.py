"""The time zone of a state of the USA; of one that has two, the zone of most of its people."""

_STATES = {
    "America/New_York": "CT DC DE FL GA KY MA MD ME NC NH NJ NY OH PA RI SC VA VT WV",
    "America/Detroit": "MI",
    "America/Indiana/Indianapolis": "IN",
    "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
    "America/Denver": "CO MT NM UT WY",
    "America/Boise": "ID",
    "America/Phoenix": "AZ",
    "America/Los_Angeles": "CA NV OR WA",
    "America/Anchorage": "AK",
    "Pacific/Honolulu": "HI",
}
_ZONES = {state: zone for zone, states in _STATES.items() for state in states.split()}


def time_zone_of(state: str) -> str:
    """The IANA name for a state's two letters."""
    return _ZONES[state]
