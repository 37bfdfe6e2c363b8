"""A small contact centre to look at: two queues, six agents."""

from contactcentre.domain.site import Site

FIELDS = {"account": "Account number"}


def site() -> Site:
    return Site.model_validate(
        {
            "settings": {"name": "Riverside Support", "timezone": "Europe/Paris", "customer_fields": FIELDS},
            "skills": {"lang_fr": "French", "lang_en": "English", "billing": "Invoices"},
            "queues": {
                "support": {
                    "description": "Technical help, French and English",
                    "requires": "lang_fr or lang_en",
                    "dispositions": {
                        "solved": "Solved",
                        "passed_on": {"label": "Passed on", "final": False},
                        "again": {"label": "Call back", "final": False, "callback": True},
                    },
                    "disposition_required": True,
                    "screen_pop": "https://127.0.0.1:9/find?phone={caller}&name={caller_name}",
                    "screen_pop_at": "answer",
                    "script": {
                        "order": {"label": "Order number", "hint": "On the invoice, top right"},
                        "product": {"label": "Product", "kind": "choice", "choices": ["Router", "Phone"]},
                        "bought": {"label": "Bought on", "kind": "date"},
                    },
                },
                "billing": {"description": "Invoices and contracts", "requires": "billing", "service_level": 30},
            },
            "agents": {
                "anna": {"full_name": "Anna Fischer", "skills": {"lang_fr": 90, "lang_en": 60}},
                "ben": {"full_name": "Ben Okafor", "skills": {"lang_en": 100, "billing": 40}},
                "chloe": {"full_name": "Chloé Martin", "skills": {"lang_fr": 100}},
                "dev": {"full_name": "Dev Patel", "skills": {"lang_en": 80, "billing": 90}},
                "elif": {"full_name": "Elif Yılmaz", "skills": {"lang_fr": 70, "billing": 80}},
                "farid": {"full_name": "Farid Haddad", "skills": {"lang_en": 50}},
            },
        }
    )
