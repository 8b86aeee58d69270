"""Which reasons of dead letters are permanent: another attempt can succeed only after a person's change."""

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


def is_permanent(reason: str | None) -> bool:
    """Whether another attempt is useless until a person changes something.

    >>> is_permanent("TableMissing"), is_permanent("SourceUnavailable"), is_permanent("MaxDeliveryCountExceeded")
    (True, False, False)
    """
    return reason in PERMANENT
