"""Whatever clients do, in whatever order, over the wire: compared with a model that fits on a page."""

from dataclasses import dataclass

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from support.amqp import Client, Receiver, encoded

from emulators.service_bus.amqp.deliveries import Delivery
from emulators.service_bus.amqp.states import Accepted, Modified, Rejected, Released
from emulators.service_bus.emulator import Emulator

MOST = 3
QUEUE = "orders"
OUTCOMES = {
    "complete": Accepted(), "release": Released(), "abandon": Modified(delivery_failed=True),
    "defer": Modified(undeliverable_here=True), "dead-letter": Rejected(),
}  # fmt: skip


@dataclass
class Held:
    """A message that a client has locked. client: which one, None if its connection is gone."""

    delivery: Delivery
    client: int | None


class NothingIsLostOverTheWire(RuleBasedStateMachine):
    """Order is kept, no message is with two clients, each failure counts, and every message is in one place."""

    def __init__(self) -> None:
        super().__init__()
        self.bus = Emulator().start()
        self.bus.add_queue(QUEUE, MaxDeliveryCount=MOST)
        self.clients: dict[int, Client] = {}
        self.receivers: dict[int, Receiver] = {}
        self.sent = 0
        self.counts: dict[int, int] = {}  # failures so far, by message
        self.waiting: set[int] = set()
        self.held: dict[int, Held] = {}
        self.deferred: set[int] = set()
        self.dead: set[int] = set()
        for number in range(2):
            self.connect(number)

    def connect(self, number: int) -> None:
        self.clients[number] = Client(self.bus.port)
        self.receivers[number] = self.clients[number].receiver(QUEUE, credit=0)

    def failed(self, message: int) -> None:
        self.counts[message] += 1
        (self.dead if self.counts[message] >= MOST else self.waiting).add(message)

    @rule(client=st.integers(0, 1))
    def send(self, client: int) -> None:
        self.sent += 1
        self.clients[client].sender(QUEUE).send(encoded(b"%d" % self.sent))
        self.counts[self.sent] = 0
        self.waiting.add(self.sent)

    @rule(client=st.integers(0, 1))
    def receive(self, client: int) -> None:
        receiver = self.receivers[client]
        receiver.link.grant(1)
        if not self.waiting:
            receiver.link.ask_to_drain()
            self.clients[client].wait(lambda: receiver.link.credit == 0)
            assert receiver.arrived == []
            return
        message = receiver.receive()
        expected = min(self.waiting)
        assert (int(message.body), message.delivery_count) == (expected, self.counts[expected])
        self.waiting.remove(expected)
        self.held[expected] = Held(receiver.deliveries[-1], client)

    @precondition(lambda self: any(held.client is not None for held in self.held.values()))
    @rule(data=st.data(), how=st.sampled_from(sorted(OUTCOMES)))
    def settle(self, data: st.DataObject, how: str) -> None:
        message = data.draw(st.sampled_from([m for m, held in self.held.items() if held.client is not None]))
        held = self.held.pop(message)
        assert held.client is not None
        assert self.receivers[held.client].settle(held.delivery, OUTCOMES[how]) == OUTCOMES[how]
        match how:
            case "release":
                self.waiting.add(message)
            case "abandon":
                self.failed(message)
            case "defer":
                self.deferred.add(message)
            case "dead-letter":
                self.dead.add(message)

    @precondition(lambda self: self.held)
    @rule()
    def expire_locks(self) -> None:
        assert self.bus.expire_locks(QUEUE) == len(self.held)
        for message, held in self.held.items():
            if held.client is not None:
                refused = self.receivers[held.client].settle(held.delivery)
                assert isinstance(refused, Rejected)
            self.failed(message)
        self.held.clear()

    @rule()
    def drop_connections(self) -> None:
        assert self.bus.drop_connections() == len(self.clients)
        for number, client in list(self.clients.items()):
            client.__exit__(None, None, None)
            self.connect(number)
        for held in self.held.values():
            held.client = None

    def teardown(self) -> None:
        counts = self.bus.counts(QUEUE)
        for client in self.clients.values():
            client.__exit__(None, None, None)
        self.bus.close()
        places = (counts.active, counts.locked, counts.deferred, counts.dead_letters)
        assert places == (len(self.waiting), len(self.held), len(self.deferred), len(self.dead))


TestNothingIsLostOverTheWire = NothingIsLostOverTheWire.TestCase
TestNothingIsLostOverTheWire.settings = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # shrinking would take minutes
)
