"""`python -m converter`: the same as `fer-convert`."""

from converter.cli import main

if __name__ == "__main__":
    main()
