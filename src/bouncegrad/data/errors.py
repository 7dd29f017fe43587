"""The one error that a user's input may raise."""


class InputError(ValueError):
    """The user's input cannot be used; the message is one line: what, where, the value, the remedy.

    The command line prints the message on stderr and exits with status 2. In Python it is an ordinary `ValueError`.
    """
