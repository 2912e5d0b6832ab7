"""The file: one writer, read connections, migrations, one module of queries per concept."""
