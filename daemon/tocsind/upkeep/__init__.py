"""Looking after the file: backup, restore, check. Run as `python -m tocsind.upkeep`, by `tocsin` for instance."""
