"""`python -m contactcentre COMMAND`, the same as the console script."""

from contactcentre.cli import main

if __name__ == "__main__":
    main()
