"""`python -m actilaw`, and the script `actilaw`."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command; Ctrl-C while it is still being loaded ends it with one sentence too."""
    try:
        from actilaw.cli.app import main as run
    except KeyboardInterrupt:
        print("actilaw: stopped; nothing had begun yet", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    run()


if __name__ == "__main__":
    main()
