"""The store and its journal."""
