"""Go Accounts, network accounts, holds and the double-entry journal. Protocol §1, §10.1 to §10.3."""
