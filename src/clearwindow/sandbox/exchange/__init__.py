"""A simulated exchange, made of nothing but the SDK and a web server: start your own from it.

``signatures`` knows whether a call comes from the network, ``accounts`` what each client has allocated here,
``calls`` what is answered at once and ``answering`` what is answered later, ``endpoints`` how that is served,
``rounds`` what is traded, ``settling`` how it is settled; ``running`` puts them together. Only ``faults`` has no
place in an exchange of yours. See docs/simulated-exchange.md.
"""
