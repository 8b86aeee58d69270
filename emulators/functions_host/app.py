"""The functions of the app that this host runs, checked for what it can do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from emulators.functions_host.app_settings import HostError
from emulators.functions_host.wire import IndexedFunction

TIMER, HTTP, QUEUE = "timerTrigger", "httpTrigger", "serviceBusTrigger"
HTTP_OUTPUT, QUEUE_OUTPUT = "http", "serviceBus"


@dataclass(frozen=True)
class Function:
    """One function with its trigger, the binding object of function.json."""

    name: str
    id: str
    trigger: Mapping[str, object]
    bindings: tuple[Mapping[str, object], ...]

    @property
    def kind(self) -> str:
        """The trigger's type, such as timerTrigger."""
        return str(self.trigger["type"])

    @property
    def parameter(self) -> str:
        """The name of the parameter that takes the trigger's value."""
        return str(self.trigger["name"])

    def text(self, key: str, default: str = "") -> str:
        """Give a text of the trigger, such as its schedule or queueName."""
        value = self.trigger.get(key)
        return default if value is None else str(value)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Give a truth value of the trigger, such as runOnStartup."""
        value = self.trigger.get(key)
        return default if value is None else bool(value)


def choose(indexed: Iterable[IndexedFunction], only: frozenset[str], settings: Mapping[str, str]) -> list[Function]:
    """Take the functions to run: those named, or all; without those the setting AzureWebJobs.NAME.Disabled stops.

    Raises HostError for a name the app does not have, and for a binding this host does not offer.
    """
    functions = [_function(one) for one in indexed]
    names = {function.name for function in functions}
    if not names:
        raise HostError("The app has no functions.")
    if unknown := only - names:
        raise HostError(f"The app has no function {', '.join(sorted(unknown))}; it has {', '.join(sorted(names))}.")
    chosen = [function for function in functions if function.name in (only or names)]
    running = [function for function in chosen if not _disabled(function.name, settings)]
    for function in running:
        _check(function)
    return running


def _function(indexed: IndexedFunction) -> Function:
    triggers = [binding for binding in indexed.bindings if str(binding["type"]).endswith("Trigger")]
    return Function(indexed.name, indexed.id, triggers[0], indexed.bindings)


def _disabled(name: str, settings: Mapping[str, str]) -> bool:
    return settings.get(f"AzureWebJobs.{name}.Disabled", "").lower() in {"1", "true"}


def _check(function: Function) -> None:
    """Refuse what would otherwise be left out silently."""
    if function.kind not in {TIMER, HTTP, QUEUE}:
        raise HostError(_refusal(function, f"its trigger, {function.kind},"))
    if function.kind == QUEUE and "queueName" not in function.trigger:
        raise HostError(_refusal(function, "a topic subscription"))
    if function.text("cardinality", "one").lower() == "many":
        raise HostError(_refusal(function, 'cardinality "many"'))
    if function.flag("isSessionsEnabled"):
        raise HostError(_refusal(function, "a session queue"))
    for binding in function.bindings:
        if binding is not function.trigger and not _is_output(binding):
            raise HostError(_refusal(function, f"the binding {binding['name']} of type {binding['type']}"))


def _is_output(binding: Mapping[str, object]) -> bool:
    return binding["type"] == HTTP_OUTPUT or (binding["type"] == QUEUE_OUTPUT and bool(binding.get("queueName")))


def _refusal(function: Function, what: str) -> str:
    return (
        f"The function {function.name} cannot run here: {what} is not part of this local host. "
        "Leave it out with --only, or run the app with Core Tools."
    )
