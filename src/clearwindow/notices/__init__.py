"""Events: what happened and who hears of it. Protocol §9."""
