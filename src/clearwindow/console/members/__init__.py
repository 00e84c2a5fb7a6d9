"""The pages of members: exchanges and traders."""
