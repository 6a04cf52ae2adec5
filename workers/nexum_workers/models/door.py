"""From a model's name in a graph to somebody who can be asked."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nexum.errors import ConfigurationError
from nexum_workers.models.openai import MAX_RESPONSE, Endpoint, OpenAIModel
from nexum_workers.models.protocol import Model
from nexum_workers.models.scripted import Script, ScriptedModel

DEFAULT_TIMEOUT = 120.0  # seconds for one answer

Options = dict[str, Any]

_OPTIONS = frozenset({"base_url", "api_key", "key_env", "timeout", "max_response", "forcing"})
_ADDRESS = frozenset({"base_url", "api_key", "key_env"})
_FORCINGS = ("schema", "object", "prompt")
_KNOWN: dict[str, Options] = {
    "openai": {"base_url": "https://api.openai.com/v1", "key_env": "OPENAI_API_KEY"},
    # this provider's OpenAI-compatible address ignores response_format
    "anthropic": {"base_url": "https://api.anthropic.com/v1", "key_env": "ANTHROPIC_API_KEY", "forcing": "prompt"},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A model that was found: whom to ask, under which name, and how long to wait (seconds)."""

    model: Model
    name: str
    timeout: float


class Door:
    """Finds models by name and keeps one client per provider.

    `settings` is the mapping `llm` of the settings. Its options are `base_url`, `api_key` (else the environment variable
    that `key_env` names), `timeout` (seconds for one answer), `max_response` (bytes) and `forcing` (schema, object or
    prompt). A key whose value is a mapping is a provider with options of its own. `script`, as `module:NAME`, answers in
    place of every provider, without a network. Upper and lower case are the same in keys.
    """

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        given = {key.lower(): value for key, value in (settings or {}).items()}
        self.script = str(given.pop("script", "") or "")
        self.general = {key: value for key, value in given.items() if not isinstance(value, Mapping)}
        self.providers = {key: _lowered(value) for key, value in given.items() if isinstance(value, Mapping)}
        for options in (self.general, *self.providers.values()):
            _check(options)
        self._models: dict[str, Model] = {}

    def resolve(self, name: str) -> Asked:
        """Find `provider:model` or `scripted:module:NAME`. Raises `ConfigurationError` (NX-L230, NX-L231)."""
        provider, _, model = name.partition(":")
        if not provider or not model:
            raise ConfigurationError(f"model {name!r} is not of the form provider:model", code="NX-L230")
        timeout = float(self._options(provider).get("timeout", DEFAULT_TIMEOUT))
        if provider == "scripted" or self.script:
            return Asked(self._scripted(self.script or model), model, timeout)
        if provider not in self._models:
            self._models[provider] = OpenAIModel(self._endpoint(provider, name))
        return Asked(self._models[provider], model, timeout)

    async def aclose(self) -> None:
        """Close every client that was made."""
        models, self._models = self._models, {}
        for model in models.values():
            await model.aclose()

    def _endpoint(self, provider: str, name: str) -> Endpoint:
        options = self._options(provider)
        if "base_url" not in options:
            known = ", ".join(sorted({*_KNOWN, *self.providers}))
            raise ConfigurationError(f"model {name!r}: no provider {provider!r}; known: {known}", code="NX-L230")
        key = str(options.get("api_key") or os.environ.get(str(options.get("key_env", "")), "")).strip()
        if not (key.isascii() and key.isprintable()):  # or the HTTP library's complaint would show it
            raise ConfigurationError(f"the key of {provider!r} holds signs that no header may hold", code="NX-L230")
        return Endpoint(
            base_url=str(options["base_url"]),
            api_key=key,
            forcing=str(options.get("forcing", "schema")),
            max_response=int(options.get("max_response", MAX_RESPONSE)),
        )

    def _options(self, provider: str) -> Options:
        """Built in, then given for all, then given for this provider.

        An address or key given for all is that of `openai` only: nobody's key may be sent to another provider.
        """
        general = {key: value for key, value in self.general.items() if provider == "openai" or key not in _ADDRESS}
        return {**_KNOWN.get(provider, {}), **general, **self.providers.get(provider, {})}

    def _scripted(self, place: str) -> Model:
        key = f"scripted:{place}"
        if key not in self._models:
            self._models[key] = ScriptedModel(_load_script(place))
        return self._models[key]


def _lowered(options: Mapping[str, Any]) -> Options:
    return {key.lower(): value for key, value in options.items()}


def _check(options: Options) -> None:
    for key in options:
        if key not in _OPTIONS:
            raise ConfigurationError(
                f"{key!r} is no option of `llm`; options are {', '.join(sorted(_OPTIONS))} and script", code="NX-L230"
            )
    if options.get("forcing", "schema") not in _FORCINGS:
        raise ConfigurationError(f"forcing {options['forcing']!r} is none of {', '.join(_FORCINGS)}", code="NX-L230")


def _load_script(place: str) -> Script:
    module, _, attribute = place.partition(":")
    try:
        script = getattr(importlib.import_module(module), attribute or "SCRIPT")
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"script {place!r} cannot be loaded: {error}", code="NX-L231") from error
    if not isinstance(script, Script):
        raise ConfigurationError(f"script {place!r} is a {type(script).__name__}, not a Script", code="NX-L231")
    return script
