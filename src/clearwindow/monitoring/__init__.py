"""What an operator watches: how many things are open, waiting or late."""
