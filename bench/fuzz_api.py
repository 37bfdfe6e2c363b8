"""Does any request break the API, a rule of the role table, or the description of its answers?

Every operation of openapi.json is asked by a session of each role and by a token of an admin, in this process, on a
PostgreSQL and a Redis of its own: with requests that fit the description, with some that do not, and about things that
are there (`api_cases`). A fault is a 5xx, access that the role table forbids or a refusal of what it allows, a status,
media type or body that is not described. Each kind is told once, with its first request; SEED and ROUNDS=1 is that
round again.

EACH=5 requests of each sort in a round, ROUNDS=0 (0: until SECONDS are over), SECONDS=600, SEED=1.
"""

import json
import os
import time
from collections import Counter

from gevent import monkey

monkey.patch_all()

from bench.api_cases import Asker, ask  # noqa: E402
from bench.measure import scratch  # noqa: E402
from contactcentre import embedded, logs  # noqa: E402
from contactcentre.live import calls, listens  # noqa: E402
from contactcentre.settings import Settings  # noqa: E402
from contactcentre.store import Store  # noqa: E402
from contactcentre.web import accounts, permissions  # noqa: E402
from contactcentre.web.app import WebServices, create_app  # noqa: E402
from contactcentre.web.permissions import Role  # noqa: E402
from tests.web.conftest import PASSWORD  # noqa: E402
from tests.web.sample import site  # noqa: E402
from tests.web.test_fuzz import by_token, may, something  # noqa: E402


def main() -> int:
    each, rounds = int(os.environ.get("EACH", "5")), int(os.environ.get("ROUNDS", "0"))
    seconds, seed = float(os.environ.get("SECONDS", "600")), int(os.environ.get("SEED", "1"))
    logs.configure("error")
    permissions.PER_TOKEN = permissions.limits.parse("1000000 per minute")
    calls.ANSWER_SECONDS = listens.ANSWER_SECONDS = 0.01
    answers, faults, asked, done, began = Counter[int](), dict[str, str](), 0, 0, time.monotonic()
    with scratch() as directory:
        settings = Settings(state_dir=directory, provision_command="off").prepare()
        with embedded.services(settings) as there, Store(there.database_url) as store:
            store.migrate()
            store.save_site(site(), "fuzz")
            web = WebServices.connect(settings, there.database_url, there.redis_url)
            app = create_app(web, WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
            web.fanout.start()
            known, token = something(store), by_token(store)
            for role in Role:
                store.add_user(f"a-{role}", accounts.hash_password(PASSWORD), role)
            while not (rounds and done >= rounds) and (rounds or time.monotonic() < began + seconds):
                found = ask(app, [*(by_session(app, role) for role in Role), token], known, seed + done, each)
                asked, done = asked + found.asked, done + 1
                answers.update(found.answers)
                for what, example in found.faults.items():
                    if what not in faults:
                        faults[what] = example
                        print(f"round of seed {seed + done - 1}: {what}\n    {example}", flush=True)
                print(f"{asked} requests in {time.monotonic() - began:.0f} s, {len(faults)} faults", flush=True)
            web.close()
    by_status = {str(status): number for status, number in sorted(answers.items())}
    print(
        json.dumps(
            {
                "bench": "fuzz_api",
                "seed": seed,
                "rounds": done,
                "requests": asked,
                "answers": by_status,
                "faults": len(faults),
            }
        )
    )
    return int(bool(faults))


def by_session(app, role):  # type: ignore[no-untyped-def]
    """A new one for each round: what is asked may have ended the one before."""
    client = app.test_client()
    client.post("/login", data={"name": f"a-{role}", "password": PASSWORD})
    return Asker(f"session of {role}", {}, {"contactcentre": client.get_cookie("contactcentre").value}, may(role))


if __name__ == "__main__":
    raise SystemExit(main())
