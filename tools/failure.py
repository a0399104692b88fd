"""The one exception that every command here shows as a sentence instead of a trace."""


class CannotGoOn(Exception):
    """It cannot go on; the message is one sentence for the person at the terminal."""
