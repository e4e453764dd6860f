"""The one error that an analyst sees."""


class QueryError(ValueError):
    """A query cannot be run as it was asked; the message tells the analyst why and what to do, without a traceback."""
