"""``python -m together_local.simulator``: the command without the rest of the CLI.

Why: ``start_simulator`` runs it from any environment that has the
package, installed scripts or not.
"""

import typer

from together_local.simulator.command import simulate

if __name__ == "__main__":
    typer.run(simulate)
