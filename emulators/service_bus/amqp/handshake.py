"""The handshake before the first frame: protocol headers and SASL, for the server and for a client."""

from collections.abc import Collection

from emulators.service_bus.amqp.decode import Malformed
from emulators.service_bus.amqp.errors import DECODE, FRAMING, NOT_ALLOWED, ProtocolError
from emulators.service_bus.amqp.frames import AMQP_HEADER, SASL_HEADER, SASL_KIND, FrameBuffer, frame
from emulators.service_bus.amqp.performatives import SASL, Sasl, SaslInit, SaslMechanisms, SaslOutcome

AUTHENTICATED, REFUSED = 0, 1


class ServerHandshake:
    """Offers mechanisms, and takes a client by any of them, or without SASL. No secret is checked."""

    def __init__(self, mechanisms: Collection[str]) -> None:
        self._mechanisms = list(mechanisms)
        self._offered = self._authenticated = False
        self.done = False

    def start(self) -> bytes:
        """Return nothing: the client speaks first."""
        return b""

    def step(self, buffer: FrameBuffer) -> bytes | None:
        """Return what to send next, or None if more bytes must come first. Raises ProtocolError."""
        if self._offered and not self._authenticated:
            return self._authenticate(buffer)
        header = buffer.header()
        if header is None:
            return None
        if header == SASL_HEADER and not self._offered:
            self._offered = True
            return SASL_HEADER + _sasl(SaslMechanisms(self._mechanisms))
        if header != AMQP_HEADER:
            raise ProtocolError(FRAMING, "the bytes that came are no header of AMQP 1.0")
        self.done = True
        return AMQP_HEADER

    def farewell(self) -> bytes:
        """Return the last bytes for a client whose handshake is wrong: the expected header, or a SASL outcome."""
        if not self._offered:
            return SASL_HEADER
        return b"" if self._authenticated else _sasl(SaslOutcome(REFUSED))

    def _authenticate(self, buffer: FrameBuffer) -> bytes | None:
        init = _next(buffer)
        if init is None:
            return None
        if not isinstance(init, SaslInit) or init.mechanism not in self._mechanisms:
            raise ProtocolError(NOT_ALLOWED, f"the SASL mechanism must be one of {', '.join(self._mechanisms)}")
        self._authenticated = True
        return _sasl(SaslOutcome(AUTHENTICATED))


class ClientHandshake:
    """Sends everything up to the open at once, then checks the answers."""

    def __init__(self, mechanism: str, response: bytes | None = None) -> None:
        self._init = SaslInit(mechanism, response)
        self._greeted = self._authenticated = False
        self.done = False

    def start(self) -> bytes:
        """Return both headers with the mechanism between them."""
        return SASL_HEADER + _sasl(self._init) + AMQP_HEADER

    def step(self, buffer: FrameBuffer) -> bytes | None:
        """Return b"" after each answer, or None if more bytes must come first. Raises ProtocolError."""
        if self._greeted and not self._authenticated:
            return self._authenticate(buffer)
        header = buffer.header()
        if header is None:
            return None
        if header != (AMQP_HEADER if self._greeted else SASL_HEADER):
            raise ProtocolError(FRAMING, "the server does not speak AMQP 1.0 with SASL")
        self.done = self._greeted
        self._greeted = True
        return b""

    def farewell(self) -> bytes:
        """Return nothing: a wrong server gets no answer."""
        return b""

    def _authenticate(self, buffer: FrameBuffer) -> bytes | None:
        answer = _next(buffer)
        if answer is None:
            return None
        if isinstance(answer, SaslOutcome):
            if answer.code != AUTHENTICATED:
                raise ProtocolError(NOT_ALLOWED, f"the server refused the client: SASL outcome {answer.code}")
            self._authenticated = True
        elif isinstance(answer, SaslMechanisms) and self._init.mechanism not in answer.mechanisms:
            raise ProtocolError(NOT_ALLOWED, f"the server offers {', '.join(answer.mechanisms)} only")
        return b""


def _sasl(performative: Sasl) -> bytes:
    return frame(SASL.encode(performative), kind=SASL_KIND)


def _next(buffer: FrameBuffer) -> Sasl | None:
    found = buffer.next()
    if found is None:
        return None
    if found.kind != SASL_KIND:
        raise ProtocolError(FRAMING, "a frame of AMQP came where one of SASL was to come")
    try:
        return SASL.decode(found.body)[0]
    except Malformed as error:
        raise ProtocolError(DECODE, str(error)) from error
