"""`python -m allmende.cli` is `allmende`."""

from allmende.cli import main

if __name__ == "__main__":
    main(prog_name="allmende")
