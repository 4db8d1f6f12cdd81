"""python -m graphnets, and the command `graphnets`."""

import sys


def main() -> None:
    """Run the command; a SIGINT while its modules are still imported ends it in a line, too."""
    try:
        from graphnets.cli.commands import main as command
    except KeyboardInterrupt:
        sys.stderr.write("stopped by SIGINT\n")
        raise SystemExit(130) from None
    command()


if __name__ == "__main__":
    main()
