"""The Service Bus SDK without its pauses: an open takes ten of 50 ms, a close up to a second."""

import asyncio
import time
from types import ModuleType
from typing import Any

from azure.servicebus import _servicebus_receiver, _servicebus_sender
from azure.servicebus._pyamqp import client
from azure.servicebus._pyamqp.aio import _client_async
from azure.servicebus.aio import _servicebus_receiver_async, _servicebus_sender_async

SHORTER = {1: 0.02, 0.05: 0.002}


class _Hasty(ModuleType):
    """A module, `time` or `asyncio`, whose `sleep` is shorter."""

    def __init__(self, module: Any) -> None:
        super().__init__(module.__name__)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def sleep(self, seconds: float) -> Any:
        return self._module.sleep(SHORTER.get(seconds, seconds))


def look_often() -> None:
    """Let the SDK's loops look more often; when they act depends on frames and intervals, not on their pauses.

    While a link opens, the SDK reads one frame in 50 ms. What watches for idle links sleeps a second at a time, and
    each close() waits for it.
    """
    for module in (client, _servicebus_receiver, _servicebus_sender):
        module.time = _Hasty(time)
    for module in (_client_async, _servicebus_receiver_async, _servicebus_sender_async):
        module.asyncio = _Hasty(asyncio)
