"""OnCall's public REST API, read and act, for scripts and tools that were written for it: docs/oncall-api.md."""
