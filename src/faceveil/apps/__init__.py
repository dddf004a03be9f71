"""Front ends: thin, and the only code that prints or exits."""
