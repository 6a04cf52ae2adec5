"""From the name of a model to somebody who can be asked."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType

import pytest

from nexum.errors import ConfigurationError
from nexum_workers.models import Door, Message, ModelRequest, Rule, Script, ScriptedModel, SlowModelError
from nexum_workers.models.openai import OpenAIModel


def endpoint(door: Door, name: str) -> tuple[str, str]:
    model = door.resolve(name).model
    assert isinstance(model, OpenAIModel)
    return model.endpoint.base_url, model.endpoint.api_key


def code(settings: dict[str, object], name: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Door(settings).resolve(name)
    return caught.value.code


def request(text: str, *, repair_round: int = 0, timeout: float = 5.0) -> ModelRequest:
    return ModelRequest("m", (Message("user", text),), {}, "verdict", timeout, "r1", round=repair_round)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    module = ModuleType("a_script")
    module.SCRIPT = Script((Rule("1042", ("broken {", '{"refund": true}')),), Rule("", ("nothing",)))  # type: ignore[attr-defined]
    module.OTHER = 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_script", module)
    found: Script = module.SCRIPT
    return found


def test_openai_is_known_and_its_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    assert endpoint(Door(), "openai:gpt-4o") == ("https://api.openai.com/v1", "sk-env")


def test_settings_win_over_the_environment_and_their_keys_may_be_upper_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    door = Door({"BASE_URL": "http://proxy/v1", "API_KEY": "sk-set"})
    assert endpoint(door, "openai:gpt-4o") == ("http://proxy/v1", "sk-set")


def test_a_provider_of_ones_own_has_its_own_address_key_and_timeout() -> None:
    door = Door({"timeout": 9, "local": {"BASE_URL": "http://here/v1", "timeout": 3}})
    assert endpoint(door, "local:llama") == ("http://here/v1", "")
    assert (door.resolve("local:llama").timeout, door.resolve("openai:x").timeout) == (3, 9)
    assert door.resolve("local:llama:8b").name == "llama:8b"


def test_a_key_given_for_all_is_never_sent_to_another_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    door = Door({"base_url": "http://proxy/v1", "api_key": "sk-openai", "local": {"base_url": "http://here/v1"}})
    assert endpoint(door, "anthropic:claude") == ("https://api.anthropic.com/v1", "")
    assert endpoint(door, "local:llama") == ("http://here/v1", "")


def test_a_client_is_kept_per_provider() -> None:
    door = Door()
    assert door.resolve("openai:a").model is door.resolve("openai:b").model


@pytest.mark.parametrize("name", ["gpt-4o", "openai:", ":x", "nobody:gpt"])
def test_a_name_without_a_known_provider_is_a_configuration_error(name: str) -> None:
    assert code({}, name) == "NX-L230"


@pytest.mark.parametrize("settings", [{"bas_url": "x"}, {"local": {"url": "x"}}, {"forcing": "gently"}])
def test_a_misspelt_option_is_a_configuration_error(settings: dict[str, object]) -> None:
    assert code(settings, "openai:gpt-4o") == "NX-L230"


@pytest.mark.parametrize("place", ["no_such_module", "a_script:MISSING", "a_script:OTHER"])
def test_a_script_that_cannot_be_loaded_is_a_configuration_error(place: str, script: Script) -> None:
    assert code({}, f"scripted:{place}") == "NX-L231"


def test_the_key_is_not_shown_in_the_representation_of_an_endpoint() -> None:
    model = Door({"api_key": "sk-secret"}).resolve("openai:gpt-4o").model
    assert isinstance(model, OpenAIModel)
    assert "sk-secret" not in repr(model.endpoint)


def test_a_key_that_no_header_may_hold_is_a_configuration_error_that_does_not_show_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Door({"api_key": "sk-\nsecret"}).resolve("openai:gpt-4o")
    assert "secret" not in str(caught.value)
    assert endpoint(Door({"api_key": " sk-1\n"}), "openai:gpt-4o")[1] == "sk-1"


def test_a_script_answers_by_rule_and_by_round_of_repair(script: Script) -> None:
    model = Door().resolve("scripted:a_script").model
    answers = [asyncio.run(model.ask(request("order 1042", repair_round=n))).text for n in (0, 0, 1, 2)]
    assert answers == ["broken {", "broken {", '{"refund": true}', '{"refund": true}']
    assert asyncio.run(model.ask(request("order 7"))).text == "nothing"


def test_a_script_in_the_settings_answers_for_every_provider(script: Script) -> None:
    model = Door({"script": "a_script:SCRIPT"}).resolve("openai:gpt-4o").model
    assert isinstance(model, ScriptedModel)
    assert model.script is script


def test_a_scripted_answer_can_be_too_slow() -> None:
    model = ScriptedModel(Script((Rule("slow", ("x",), delay=60),)))
    with pytest.raises(SlowModelError):
        asyncio.run(model.ask(request("slow", timeout=0.01)))
