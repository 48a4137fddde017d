def install(blocks: int = 512) -> bool:
    """Keep freed 16 KiB data-stack chunks of CPython in a list (RAM: at most
    blocks x 16 KiB); once per process, idempotent."""
def stats() -> tuple[int, int, int]:
    """(blocks held, served from the list, passed to the system)"""
