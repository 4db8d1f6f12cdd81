"""python -m graphnets"""

from graphnets.cli import main

if __name__ == "__main__":
    main()
