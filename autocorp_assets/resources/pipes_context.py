"""The execution context as Pipes gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import dagster as dg


def with_skippable_outputs(context: dg.AssetExecutionContext) -> dg.AssetExecutionContext:
    """The same context, of whose op Pipes does not require that it yields every selected output.

    `open_pipes_session` asks for that, so that nobody forgets to yield what the process reported; an output that may be
    skipped is then missed as well: a table that does not exist yet fails the step after the others were reported.
    """
    return cast("dg.AssetExecutionContext", _Lenient(context))


class _Lenient:
    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def set_requires_typed_event_stream(self, *, error_message: str | None = None) -> None:
        """Not passed on."""
