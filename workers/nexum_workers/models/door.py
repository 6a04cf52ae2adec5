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
_KNOWN = {
    "openai": {"BASE_URL": "https://api.openai.com/v1", "KEY_ENV": "OPENAI_API_KEY"},
    # this provider's OpenAI-compatible address ignores response_format
    "anthropic": {"BASE_URL": "https://api.anthropic.com/v1", "KEY_ENV": "ANTHROPIC_API_KEY", "FORCING": "prompt"},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A model that was found: whom to ask, under which name, and how long to wait (seconds)."""

    model: Model
    name: str
    timeout: float


class Door:
    """Finds models by name and keeps one client per provider.

    `settings` is the `LLM` mapping of the settings: `BASE_URL`, `API_KEY` (else the provider's environment variable),
    `TIMEOUT` (seconds), `MAX_RESPONSE` (bytes), `FORCING`, the same again per provider under `PROVIDERS: {name: {...}}`,
    and `SCRIPT: "module:NAME"`, which answers for every provider (no network at all).
    """

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self.settings = dict(settings or {})
        self._models: dict[str, Model] = {}

    def resolve(self, name: str) -> Asked:
        """Find `provider:model` or `scripted:module:NAME`. Raises `ConfigurationError` (NX-L230, NX-L231)."""
        provider, colon, model = name.partition(":")
        if not colon or not model:
            raise ConfigurationError(f"model {name!r} is not of the form provider:model", code="NX-L230")
        script = self.settings.get("SCRIPT")
        if provider == "scripted" or script:
            return Asked(self._scripted(str(script or model)), model, self._timeout(provider))
        if provider not in self._models:
            self._models[provider] = OpenAIModel(self._endpoint(provider, name))
        return Asked(self._models[provider], model, self._timeout(provider))

    async def aclose(self) -> None:
        """Close every client that was made."""
        models, self._models = self._models, {}
        for model in models.values():
            await model.aclose()

    def _endpoint(self, provider: str, name: str) -> Endpoint:
        entry = self._entry(provider)
        if "BASE_URL" not in entry:
            known = ", ".join(sorted({*_KNOWN, *self._providers()}))
            raise ConfigurationError(f"model {name!r}: no provider {provider!r}; known: {known}", code="NX-L230")
        return Endpoint(
            base_url=str(entry["BASE_URL"]),
            api_key=str(entry.get("API_KEY") or os.environ.get(str(entry.get("KEY_ENV", "")), "")),
            forcing=str(entry.get("FORCING", "schema")),
            max_response=int(entry.get("MAX_RESPONSE", MAX_RESPONSE)),
        )

    def _entry(self, provider: str) -> dict[str, Any]:
        """What is known about a provider: built in, then the settings for all, then its own.

        An address or key given for all belongs to `openai` only: nobody's key may be sent to another provider.
        """
        general = {key: value for key, value in self.settings.items() if key not in {"PROVIDERS", "SCRIPT"}}
        if provider != "openai":
            general = {key: value for key, value in general.items() if key not in {"BASE_URL", "API_KEY", "KEY_ENV"}}
        return {**_KNOWN.get(provider, {}), **general, **self._providers().get(provider, {})}

    def _providers(self) -> dict[str, dict[str, Any]]:
        return dict(self.settings.get("PROVIDERS", {}))

    def _timeout(self, provider: str) -> float:
        return float(self._entry(provider).get("TIMEOUT", DEFAULT_TIMEOUT))

    def _scripted(self, place: str) -> Model:
        key = f"scripted:{place}"
        if key not in self._models:
            self._models[key] = ScriptedModel(_load_script(place))
        return self._models[key]


def _load_script(place: str) -> Script:
    module, _, attribute = place.partition(":")
    try:
        script = getattr(importlib.import_module(module), attribute or "SCRIPT")
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"script {place!r} cannot be loaded: {error}", code="NX-L231") from error
    if not isinstance(script, Script):
        raise ConfigurationError(f"script {place!r} is a {type(script).__name__}, not a Script", code="NX-L231")
    return script
