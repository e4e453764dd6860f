"""Commands that have parts of the local deployment to work on, and nothing on AWS."""

from __future__ import annotations

from autocorp_assets.settings import Settings


class WrongDeploymentError(RuntimeError):
    """The command makes no sense in this deployment; the message says what to do instead."""


def local_settings(command: str, *, instead: str) -> Settings:
    """The settings, if they are of the local deployment.

    Args:
        command: as the operator typed it, without `autocorp`.
        instead: what to do on AWS, as a sentence.

    Raises:
        WrongDeploymentError: they are not.
    """
    settings = Settings()
    if settings.deployment != "local":
        message = (
            f"`autocorp {command}` is of the local deployment, and AUTOCORP_DEPLOYMENT={settings.deployment}. "
            f"{instead} For the local one: AUTOCORP_DEPLOYMENT=local autocorp {command}"
        )
        raise WrongDeploymentError(message)
    return settings
