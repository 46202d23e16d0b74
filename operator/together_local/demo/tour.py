"""The life of one endpoint, told in the commands that a person would type."""

from __future__ import annotations

import yaml

from together_local.demo.bill import Bill
from together_local.demo.chat import chat
from together_local.demo.endpoint import Endpoint
from together_local.demo.errors import DemoError
from together_local.demo.screen import Screen
from together_local.demo.stage import NAMESPACE, Api, Stage, own_file, spelled
from together_local.simulator import Profile

_LONGEST_CHANGE = 600.0
"""Simulated seconds that Together takes for any one change, with much to spare."""
_OWN_WAITS = 60.0
"""Seconds that the operator takes for any one change, with much to spare."""


class Tour:
    """One walk through the life of the quickstart's endpoint.

    Args:
        stage: What runs.
        screen: Where to show it.
        speed: Simulated seconds per second.
    """

    def __init__(self, stage: Stage, screen: Screen, speed: float) -> None:
        self._stage = stage
        self._shell = stage.shell
        self._screen = screen
        self._speed = speed
        self._patience = _OWN_WAITS + _LONGEST_CHANGE / speed
        manifest = own_file("quickstart.yaml")
        self._manifest = spelled(manifest)
        self._name: str = yaml.safe_load(manifest.read_text())["metadata"]["name"]
        self._endpoint = Endpoint(stage.shell, self._name, stage.check)

    def show(self, profile: Profile, api: Api, *, keep: bool) -> None:
        """Tell the whole story.

        Args:
            profile: What kind of account it is about.
            api: Which API the operator tries first.
            keep: Whether to end before the deletion.

        Raises:
            DemoError: Something did not come out as promised.
        """
        second = profile is Profile.RETIRED or api is Api.V2
        try:
            self.prepare()
            self.create()
            if profile is Profile.RETIRED and api is Api.V1:
                self.moved()
            self.ask()
            self.change(named=not second)
            self.events()
            if not keep:
                self.delete()
            self.bill(created=1, live=1 if keep else 0)
        except DemoError:
            self.explain()
            raise

    def prepare(self) -> None:
        """Do what a team does once: a namespace, and the key in a Secret."""
        self._screen.chapter("Once per team: a namespace, and the API key in a Secret")
        self._shell.run(f"kubectl create namespace {NAMESPACE}")
        self._shell.run(f"kubectl config set-context --current --namespace={NAMESPACE}")
        self._screen.say("(Any key opens the simulated Together; yours is not used.)")
        self._shell.run(
            'kubectl create secret generic together --from-literal=api-key="$TOGETHER_API_KEY"'
        )

    def create(self) -> None:
        """From nothing to Ready."""
        self._screen.chapter("From nothing to Ready")
        self._shell.run("kubectl get tep")
        with self._shell.watch("kubectl get tep --watch") as watch:
            self._shell.run(f"kubectl apply -f {self._manifest}")
            with self._screen.waiting("Together finds hardware and loads the model"):
                ready = self._endpoint.until("Ready", self._patience)
            watch.shows("True", ready["reason"])
        self._screen.say(ready["message"])

    def ask(self) -> None:
        """A chat completion under the inference name."""
        self._screen.chapter("It answers under its inference name")
        self._shell.run(f"kubectl get tep {self._name} -o jsonpath='{{.status.inference}}'")
        chat(self._screen, self._endpoint.status()["inference"])

    def change(self, *, named: bool) -> None:
        """Scale, rename, stop and start.

        Args:
            named: Whether there is a display name, which API v2 has not.
        """
        self._change("Scaled", f"kubectl scale tep/{self._name} --replicas=2")
        if named:
            self._change(
                "Renamed: the same endpoint goes on serving",
                self._patch('{"spec":{"displayName":"Chat for support"}}'),
            )
            path = '{.status.displayName}{"\\n"}{.status.endpointID}'
            self._shell.run(f"kubectl get tep {self._name} -o jsonpath='{path}'")
        message = self._change(
            "Stopped: no replica, no cost, and still Ready, because that is what was asked for",
            self._patch('{"spec":{"state":"Stopped"}}'),
        )
        self._screen.say(message)
        self._change("Started again", self._patch('{"spec":{"state":"Started"}}'))

    def events(self) -> None:
        """What the operator did, as Kubernetes remembers it."""
        self._screen.chapter("What happened, for whoever comes later")
        self._shell.run(f"kubectl events --for tep/{self._name}")

    def delete(self) -> None:
        """Delete it; kubectl returns once Together has confirmed that it is gone."""
        self._screen.chapter("Deleted: kubectl returns when Together confirms that it is gone")
        with self._shell.watch("kubectl get tep --watch") as watch:
            watch.shows(self._name)
            with self._screen.waiting("Together deletes it"):
                self._shell.run_beside(
                    f"kubectl delete -f {self._manifest}", timeout=self._patience
                )
        self._shell.run("kubectl get tep")

    def moved(self) -> None:
        """What an account sees for which Together has closed API v1."""
        self._screen.chapter("Together has closed API v1 to this account, so it is on API v2")
        self._shell.run(f"kubectl get tep {self._name} -o wide")
        path = '{.status.api}{"\\n"}{.status.deployments[*].id}'
        self._shell.run(f"kubectl get tep {self._name} -o jsonpath='{path}'")

    def bill(self, *, created: int, live: int) -> None:
        """What it would have cost, and whether the operator kept its promise.

        Args:
            created: How many endpoints may have been created.
            live: How many may still exist.

        Raises:
            DemoError: It was another number.
        """
        self._screen.chapter("The bill, from the books of the simulated Together")
        bill = Bill.of(self._stage.simulator.admin.ledger(), self._speed)
        if bill.lines:
            self._screen.table(Bill.HEAD, bill.rows())
        self._screen.success(bill.summary())
        bill.expect(created=created, live=live)

    def explain(self) -> None:
        """Show what the resource says of itself, after a failure."""
        self._screen.chapter(f"What tep/{self._name} says")
        try:
            conditions = self._endpoint.status().get("conditions", [])
        except DemoError as error:
            self._screen.say(str(error))
            return
        self._screen.table(
            ("TYPE", "STATUS", "REASON", "MESSAGE"),
            [(c["type"], c["status"], c["reason"], c["message"]) for c in conditions],
        )

    def _patch(self, patch: str) -> str:
        return f"kubectl patch tep {self._name} --type=merge -p '{patch}'"

    def _change(self, title: str, command: str) -> str:
        self._screen.chapter(title)
        with self._shell.watch(f"kubectl get tep {self._name} --watch") as watch:
            watch.shows(self._name)
            self._shell.run(command)
            with self._screen.waiting("Together carries it out"):
                ready = self._endpoint.until("Ready", self._patience)
            watch.shows("True", ready["reason"])
        return str(ready["message"])
