"""The reasons of dead letters. After a permanent one another attempt can succeed only if a person changes something."""

PERMANENT = frozenset(
    {
        # The message or its job.
        "InvalidRequest",
        "UnknownVersion",
        "MessageTooLarge",
        "JobMissing",
        "QueryMissing",
        "WindowMissing",
        "FormatNotInstalled",
        # PostgreSQL.
        "TableMissing",
        "SchemaMissing",
        "ColumnMissing",
        "PrivilegeMissing",
        "QueryWrites",
        "QueryFails",
        "StatementRefused",
        "NotSupported",
        "TooLarge",
        # The container.
        "BlobExists",
        "BlobTooLarge",
        "AuthorizationFailure",
        "AuthorizationPermissionMismatch",
        "AuthorizationSourceIPMismatch",
        "AuthenticationFailed",
        "BlobImmutableDueToPolicy",
        "BlobImmutableDueToLegalHold",
        "ContainerNotFound",
        "InvalidAuthenticationInfo",
        "KeyBasedAuthenticationNotPermitted",
        "BlobArchived",
        "LeaseIdMissing",
        "InvalidBlobOrBlock",
        "InvalidBlobType",
        "InvalidResourceName",
        "PathConflict",
        "ResourceTypeMismatch",
    }
)
TRANSIENT = frozenset(
    {
        "ExportIncomplete",
        "IdentityUnavailable",
        "JobDisabled",
        "LockTimeout",
        "LoginRefused",
        "OutOfMemory",
        "SinkUnavailable",
        "SourceUnavailable",
        "StatementTimeout",
        "TooManyConnections",
        "UnexpectedError",
        "WindowOpen",
        # Written by Service Bus itself.
        "MaxDeliveryCountExceeded",
        "TTLExpiredException",
    }
)


def is_permanent(reason: str | None) -> bool:
    """Whether another attempt is useless until a person changes something.

    >>> is_permanent("TableMissing"), is_permanent("SourceUnavailable"), is_permanent("MaxDeliveryCountExceeded")
    (True, False, False)
    """
    return reason in PERMANENT
