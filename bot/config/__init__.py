"""The environment becomes settings, and settings an open engine; with the keys that sign and seal the history."""
