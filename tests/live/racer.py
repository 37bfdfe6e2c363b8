"""One of several processes that reserve the same agents as fast as they can. Prints what it won as JSON."""

import json
import secrets
import sys
import time

from contactcentre.domain.agents import AgentState, Verb
from contactcentre.live import Live, connect


def main(url: str, rounds: int) -> None:
    live = Live(connect(url))
    won, lost = [], 0
    for _ in range(rounds):
        for status in live.agents().values():
            if status.state is not AgentState.AVAILABLE:
                continue
            now, token = time.time(), secrets.token_hex(8)
            reserved = live.reserve(status, f"contact-{token}", "support", token, now + 60, now)
            if reserved is None:
                lost += 1
                continue
            won.append((reserved.name, reserved.version, token))
            assert live.agent(reserved.name).token == token, "somebody wrote over a reservation"
            live.change(reserved.name, Verb.RELEASE, time.time(), token=token)
    print(json.dumps({"won": won, "lost": lost}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
