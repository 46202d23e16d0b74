"""`python -m together_local.cluster`: the `local` commands without the main command line."""

from together_local.cluster.command import app

if __name__ == "__main__":
    app(prog_name="together-operator local")
