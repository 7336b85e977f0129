"""`python -m facearray`: the command line."""

from facearray.cli import main

if __name__ == "__main__":
    main(prog_name="facearray")
