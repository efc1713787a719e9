"""The one exception a user may see: its text names the file or key and the way out."""


class UserError(Exception):
    """Something the user can mend; stages print the message without a traceback."""
