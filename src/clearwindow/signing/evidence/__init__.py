"""The evidence of accepted signed requests: what was signed, and by which key. Protocol §3."""
