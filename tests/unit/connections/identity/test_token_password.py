"""Tokens as passwords: only callers without a token wait, and they share a failure."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from connections.postgres.tokens import TokenPassword
from contracts.errors import IdentityUnavailable


@dataclass
class Issuer:
    """A credential whose tokens live `lifetime` seconds by a clock set by hand; it waits for `gate` each time."""

    lifetime: float = 3600
    now: float = 1000.0
    requests: int = 0
    is_down: bool = False
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    gate: threading.Event = field(default_factory=threading.Event)

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        self.requests += 1
        self.asked.release()
        self.gate.wait(30)
        if self.is_down:
            raise IdentityUnavailable("no token from managed-identity: down; wait")
        return AccessToken(f"token-{self.requests}", int(self.now + self.lifetime))

    def close(self) -> None: ...


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def issuer() -> Issuer:
    issuer = Issuer()
    issuer.gate.set()
    return issuer


@pytest.fixture
def password(issuer: Issuer) -> TokenPassword:
    return TokenPassword(issuer, clock=lambda: issuer.now)


def test_while_one_caller_refreshes_the_others_use_the_old_token_without_waiting(
    issuer: Issuer, password: TokenPassword
) -> None:
    assert password() == "token-1"
    issuer.now += 3400
    issuer.gate.clear()
    with ThreadPoolExecutor(1) as thread:
        refreshing = thread.submit(password)
        assert issuer.asked.acquire(timeout=20)  # the first
        assert issuer.asked.acquire(timeout=20)
        assert [password() for _ in range(100)] == ["token-1"] * 100
        issuer.gate.set()
        assert refreshing.result(20) == "token-2"
    assert (password(), issuer.requests) == ("token-2", 2)


def test_a_token_of_five_minutes_serves_four_of_them(issuer: Issuer, password: TokenPassword) -> None:
    issuer.lifetime = 300
    assert password() == "token-1"
    issuer.now += 239
    assert password() == "token-1"
    issuer.now += 2
    assert password() == "token-2"


def test_a_failed_refresh_is_not_tried_again_at_once(issuer: Issuer, password: TokenPassword) -> None:
    password()
    issuer.is_down = True
    issuer.now += 3400
    assert [password() for _ in range(50)] == ["token-1"] * 50
    assert issuer.requests == 2
    issuer.now += 11
    issuer.is_down = False
    assert password() == "token-3"


def test_callers_that_wait_for_a_first_token_share_its_failure(issuer: Issuer, password: TokenPassword) -> None:
    issuer.is_down = True
    issuer.gate.clear()
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(password) for _ in range(8)]
        assert issuer.asked.acquire(timeout=20)
        until(lambda: threading.active_count() >= 9)
        issuer.gate.set()
        errors = {str(call.exception(20)) for call in calls}
    assert errors == {"no Entra token for PostgreSQL: no token from managed-identity: down; wait"}
    assert issuer.requests < 8


def test_after_a_failure_the_next_caller_tries_anew(issuer: Issuer, password: TokenPassword) -> None:
    issuer.is_down = True
    with pytest.raises(IdentityUnavailable):
        password()
    issuer.is_down = False
    assert password() == "token-2"
