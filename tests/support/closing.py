"""Closes of the Service Bus SDK without their second of sleep."""

import time
from types import ModuleType

from azure.servicebus._pyamqp import client


class _Time(ModuleType):
    """The module `time`, whose pause of one second is short."""

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(0.02 if seconds == 1 else seconds)


def wake_often() -> None:
    """Let the SDK's thread that watches idle links look every 20 ms.

    It sleeps a second at a time, and each close() waits for it. What it does, and when, depends on its interval, not on
    how often it looks.
    """
    client.time = _Time("time")
