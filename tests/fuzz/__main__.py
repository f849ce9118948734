"""`make fuzz`: all entrances for a while, with another seed each time; exit 1 where anything was found.

python -m tests.fuzz --seconds 600                     all entrances
python -m tests.fuzz --seed 17 --entrance config       the cases of an earlier run again, of one entrance
python -m tests.fuzz --case config:1234                one case, with its input
"""

import argparse
import faulthandler
import os
import secrets
import sys

from tests.fuzz.campaign import Finding, campaign, parts_of, run_case
from tests.fuzz.entrances import ENTRANCES

SEED_BITS = 40


def main() -> int:
    """Run the campaign or one case."""
    by_name = {entrance.name: entrance for entrance in ENTRANCES}
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Mutated inputs through all entrances.")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=None, help="of an earlier run; drawn where it is not given")
    parser.add_argument("--entrance", action="append", choices=sorted(by_name), help="only this one; repeatable")
    parser.add_argument("--case", metavar="ENTRANCE:SEED", help="run one case and show its input")
    options = parser.parse_args()
    _quiet()
    if options.case:
        name, _, number = options.case.partition(":")
        parts = parts_of(by_name[name], int(number))
        _say("\n".join(f"part {place}: {part[:2000]!a}" for place, part in enumerate(parts)))
        try:
            _say("accepted" if run_case(by_name[name], parts) else "refused, as documented")
        except Finding as finding:
            _say(f"FOUND\n{finding}")
            return 1
        return 0
    seed = secrets.randbits(SEED_BITS) if options.seed is None else options.seed
    _say(f"seed {seed}, {options.seconds:g} s")
    chosen = [by_name[name] for name in options.entrance or by_name]
    tallies = campaign(chosen, seed, options.seconds, _say)
    for name, tally in tallies.items():
        found = sum(map(len, tally.findings.values()))
        counts = f"{tally.accepted:7d} accepted {tally.refused:7d} refused {found:4d} found"
        _say(f"{name:<10} {counts} {tally.spent_s:6.1f} s")
    for tally in tallies.values():
        for key, cases in tally.findings.items():
            _say(f"{len(cases)} times, again with: make fuzz FUZZ_CASE={cases[0]}   {key}")
    return 1 if any(tally.findings for tally in tallies.values()) else 0


def _quiet() -> None:
    """Point descriptor 2 at nothing: libjpeg and paho complain there of each damaged input. A crash is still shown."""
    faulthandler.enable(os.fdopen(os.dup(2), "w"))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _say(text: str) -> None:
    sys.stdout.write(text.encode(errors="backslashreplace").decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
