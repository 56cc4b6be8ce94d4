"""``python -m marketsim``: the same as the command ``marketsim``."""

from marketsim.cli import main

if __name__ == "__main__":
    main()
