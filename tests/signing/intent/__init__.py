"""What signed texts are for. Protocol §11."""
