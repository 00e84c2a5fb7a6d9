"""Settings of notifications: the mail server, and how much a person is told in an hour."""

from __future__ import annotations

from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings

from clearwindow.capacity_settings import ENV_PREFIX
from clearwindow.core.setting_values import EmailAddress, Folder, Text
from clearwindow.runtime import MailTerms, MailTls, NotificationTerms

_USUAL: Final = NotificationTerms()


class NotificationSettings(BaseSettings):
    """A part of ``Settings``."""

    smtp_host: Text | None = Field(
        default=None,
        description="The mail server that notifications are sent by. Without it, the network sends no e-mail, and "
        "people can be told by chat alone.",
    )
    smtp_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description=f"The port of the mail server. Without it, 587, or 465 if `{ENV_PREFIX}SMTP_TLS` is `tls`.",
    )
    smtp_tls: MailTls = Field(
        default=MailTls.STARTTLS,
        description="How the connection to the mail server is encrypted: `starttls`, `tls` from the first byte, or "
        "`none`, for a server on the same machine. With the first two, its certificate must be valid.",
    )
    smtp_ca_file: Folder | None = Field(
        default=None,
        description="Certificates of authorities, in PEM, for the mail server. Without it, those of the system.",
    )
    smtp_user: Text | None = Field(
        default=None, description=f"The user at the mail server. It needs `{ENV_PREFIX}SMTP_PASSWORD_FILE` and TLS."
    )
    smtp_password_file: Folder | None = Field(
        default=None,
        description="The file that holds the password of that user. It is read for each connection, so that a new "
        "password needs no restart.",
    )
    smtp_from: EmailAddress | None = Field(
        default=None,
        description=f"The address that notifications come from. It is needed with `{ENV_PREFIX}SMTP_HOST`.",
    )
    notifications_per_hour: int = Field(
        default=_USUAL.per_hour,
        ge=1,
        le=1000,
        description="How many messages one address of a person gets in an hour. Beyond that, everything is "
        "gathered in one message each five minutes.",
    )

    def notifications(self) -> NotificationTerms:
        """Returns the terms.

        Raises:
            ValueError: the settings of the mail server contradict each other. The message names them.
        """
        if self.smtp_host is None:
            return NotificationTerms(per_hour=self.notifications_per_hour)
        if self.smtp_from is None:
            raise ValueError(f"{ENV_PREFIX}SMTP_FROM: is needed with {ENV_PREFIX}SMTP_HOST")
        if (self.smtp_user is None) != (self.smtp_password_file is None):
            raise ValueError(f"{ENV_PREFIX}SMTP_USER: set it and {ENV_PREFIX}SMTP_PASSWORD_FILE together")
        if self.smtp_user is not None and self.smtp_tls is MailTls.NONE:
            raise ValueError(f"{ENV_PREFIX}SMTP_TLS: must not be none with a password")
        usual_port = 465 if self.smtp_tls is MailTls.IMPLICIT else 587
        mail = MailTerms(
            host=self.smtp_host,
            sender=self.smtp_from,
            port=self.smtp_port or usual_port,
            tls=self.smtp_tls,
            ca_file=self.smtp_ca_file,
            user=self.smtp_user,
            password_file=self.smtp_password_file,
        )
        return NotificationTerms(mail, self.notifications_per_hour)
