"""The address that an agent opens for a contact."""

import pytest

from contactcentre.domain.screen_pop import address, wrong

GOOD = "https://crm.example.com:8443/find?phone={caller}&name={caller_name}#{contact}"


def test_fields_are_percent_encoded_and_cannot_lead_elsewhere() -> None:
    hostile = "x&admin=1#<script>/../@evil.example é\n"
    made = address(GOOD, {"caller": "+33612407755", "caller_name": hostile, "contact": "c1"})
    encoded = "x%26admin%3D1%23%3Cscript%3E%2F..%2F%40evil.example%20%C3%A9%0A"
    assert made == f"https://crm.example.com:8443/find?phone=%2B33612407755&name={encoded}#c1"
    assert address("https://a.example/{queue}/{agent}", {"queue": "support"}) == "https://a.example/support/"


@pytest.mark.parametrize(
    ("template", "plain_http", "says"),
    [
        (GOOD, False, ""),
        ("http://crm.local/?p={caller}", True, ""),
        ("http://crm.local/?p={caller}", False, "begins with https://"),
        ("javascript:alert(1)", True, "begins with"),
        ("https:///find", False, "names a host"),
        ("https://{caller}.example.com/", False, "names a host"),
        ("https://user:secret@crm.example.com/", False, "names a host"),
        ("https://crm.example.com:port/", False, "Port could not be cast"),
        ("https://crm.example.com/?p={phone}", False, "{phone} is not one of"),
        ("https://crm.example.com/?p={caller", False, "a brace without its other half"),
        ("https://crm.example.com/?p=}{", False, "a brace without its other half"),
    ],
)
def test_a_template_leads_to_one_host_over_https(template: str, plain_http: bool, says: str) -> None:
    assert says in wrong(template, plain_http)
    assert bool(wrong(template, plain_http)) is bool(says)
