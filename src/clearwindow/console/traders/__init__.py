"""The pages of clients, who allocate money to exchanges and trade there."""
