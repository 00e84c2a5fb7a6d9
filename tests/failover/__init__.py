"""``make failover``: three PostgreSQL servers under Patroni, the application on them, and what can go wrong."""
