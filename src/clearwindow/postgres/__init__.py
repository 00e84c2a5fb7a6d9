"""The connection pool, the embedded PostgreSQL, migrations, and the clock of a sandbox."""
