def play() -> bool:
    return True
