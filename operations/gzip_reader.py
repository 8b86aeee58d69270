"""Reads gzip by ISA-L; imported only if there is some, since its library takes a while to load."""

from typing import override

from isal.igzip import GzipFile
from isal.isal_zlib import IsalError


class GzipReader(GzipFile):
    """A gzip file to be read, of members one after the other."""

    @override
    def read(self, size: int | None = -1) -> bytes:
        """Raises EOFError or OSError for damaged data."""
        try:
            return super().read(size)
        except IsalError as error:  # type: ignore[misc]  # isal's stub does not say that it is a class
            raise OSError(str(error)) from error
