"""The clients we are measured against, used as their makers show it."""
