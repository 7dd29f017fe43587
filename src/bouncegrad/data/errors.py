"""The one error that a user's input may raise."""


class InputError(ValueError):
    """What a user gave cannot be used; the message is one line: what, where, the value, the remedy.

    The command line prints it on stderr and exits with status 2; from Python it is an ordinary `ValueError`.
    """
