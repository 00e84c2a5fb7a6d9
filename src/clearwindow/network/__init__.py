"""Partner configurations, partners, clients, the connections between them and a partner's currency names."""
