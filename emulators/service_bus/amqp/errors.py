"""Errors of the protocol that one end reports to the other."""


class ProtocolError(Exception):
    """The other end broke the protocol: the connection is closed with this condition and the error's text."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition


FRAMING = "amqp:connection:framing-error"
DECODE = "amqp:decode-error"
INVALID = "amqp:invalid-field"
NOT_ALLOWED = "amqp:not-allowed"
FORCED = "amqp:connection:forced"
UNATTACHED = "amqp:session:unattached-handle"
HANDLE_IN_USE = "amqp:session:handle-in-use"
