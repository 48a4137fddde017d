"""`python -m pihub.demo`: run the simulated upstreams until SIGINT or SIGTERM.

Prints one line of JSON with the ports: {"ollama": n, "claude": n, "openai": n,
"control": n}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys

from pihub.demo.claude import Claude
from pihub.demo.control import ControlPort
from pihub.demo.machine import PI, Machine
from pihub.demo.ollama import Ollama
from pihub.demo.openai import OpenAI
from pihub.demo.server import Pace, Simulator


def parser() -> argparse.ArgumentParser:
    """The command line; port 0 takes any free port, -1 leaves the server out."""
    made = argparse.ArgumentParser(
        prog="python -m pihub.demo",
        description="Simulated Ollama, Claude and OpenAI-compatible servers.",
    )
    made.add_argument("--host", default="127.0.0.1")
    for name in ("ollama", "claude", "openai", "control"):
        made.add_argument(f"--{name}-port", type=int, default=0, metavar="N")
    made.add_argument("--pace", type=float, default=30.0, help="tokens per second, 0: no wait")
    made.add_argument("--first-token", type=float, default=0.0, help="seconds before the first")
    made.add_argument(
        "--machine",
        choices=("instant", "pi"),
        default="instant",
        help="Ollama's: no loading and no queue, or about a Raspberry Pi 5's",
    )
    made.add_argument(
        "--with-parent", action="store_true", help="end when the starting process ends"
    )
    return made


async def _run(args: argparse.Namespace) -> None:
    # Before anything is told: whoever reads the ports may be gone a moment later.
    parent = os.getppid()
    pace = Pace(args.pace, args.first_token)
    ollama = Ollama(Machine(PI) if args.machine == "pi" else None)
    simulators = {
        dialect.name: Simulator(dialect, pace) for dialect in (ollama, Claude(), OpenAI())
    }
    ports: dict[str, int] = {}
    for name, simulator in list(simulators.items()):
        wanted = getattr(args, f"{name}_port")
        if wanted < 0:
            del simulators[name]
            continue
        await simulator.start(args.host, wanted)
        ports[name] = simulator.port
    control = ControlPort(simulators)
    await control.start(args.host, args.control_port)
    ports["control"] = control.port
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    print(json.dumps(ports), flush=True)
    while not done.is_set():
        try:
            await asyncio.wait_for(done.wait(), 1.0 if args.with_parent else None)
        except TimeoutError:
            if os.getppid() != parent:  # the starter died without a word
                return


def main() -> int:
    """Exit code 0 after a signal, 1 if a port cannot be bound."""
    args = parser().parse_args()
    # A starter that is just replacing itself may have left its signals blocked.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        asyncio.run(_run(args))
    except OSError as exc:
        print(f"cannot start the simulated upstreams: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
