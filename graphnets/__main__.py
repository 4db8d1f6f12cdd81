"""python -m graphnets"""

from graphnets.cli.commands import main

if __name__ == "__main__":
    main()
