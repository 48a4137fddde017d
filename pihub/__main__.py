"""`python -m pihub` is the same program as `pihub`."""

from pihub.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
