"""When a process is begun that speaks the site's texts."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contactcentre.controller import site_keeper
from contactcentre.controller.greenlets import Greenlets
from contactcentre.controller.node import Configuration, Node
from contactcentre.controller.site_keeper import SiteKeeper
from contactcentre.domain.site import Site
from contactcentre.prompts.speech import Prompts, Voice


def test_a_process_speaks_texts_only_where_some_are_missing_and_once_for_each_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    prompts = Prompts(tmp_path, {"hello": {"en": "Hello."}})
    node: Any = SimpleNamespace(greenlets=Greenlets(), configuration=Configuration.of(1, Site(), prompts))

    def are_spoken(configuration: Configuration) -> bool:
        return configuration.prompts.are_prepared(configuration.flows.values())

    monkeypatch.setattr(site_keeper, "_run_prepare", lambda: begun.append(node.configuration.version))
    keeper = SiteKeeper(cast(Node, node), lambda: node.configuration, are_spoken)
    keeper.prepare().join()
    keeper.prepare().join()
    assert begun == [1]
    node.configuration = Configuration.of(2, Site(), prompts)
    keeper.prepare().join()
    assert begun == [1, 2]
    Voice(tmp_path / "tts").say("Hello.", "en")
    node.configuration = Configuration.of(3, Site(), prompts)
    keeper.prepare().join()
    assert begun == [1, 2]
