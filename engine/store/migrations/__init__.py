"""How the tables came to be: one script per change, in order. See engine/store/migrate.py."""
