"""Pure: data → plain text, for terminals, reports and programs."""
