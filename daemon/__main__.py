"""`python -m daemon …` is the same as `novabatch …`."""

from daemon.cli import main

if __name__ == "__main__":
    main(prog_name="novabatch")
