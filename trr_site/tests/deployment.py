"""What the files of a deployment say, for tests that hold it against the code. No engine is asked."""

import json
import re
import shlex
from configparser import RawConfigParser
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
UNITS = ("trr-web.service", "trr-ws.service", "trr-worker.service")
OURS = ("web", "ws", "worker", "migrate", "schedules")  # the services that run our image
LASTING = ("proxy", "web", "ws", "worker", "postgres", "redis")


@dataclass(frozen=True, slots=True)
class Instruction:
    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """Of the exec form, and of nothing else."""
        words: list[str] = json.loads(self.text[self.text.index("[") :])
        return words


def dockerfile() -> list[Instruction]:
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def final_stage() -> list[Instruction]:
    instructions = dockerfile()
    last = max(number for number, instruction in enumerate(instructions) if instruction.name == "FROM")
    return instructions[last:]


def of_image(name: str) -> list[Instruction]:
    return [instruction for instruction in final_stage() if instruction.name == name]


def copies() -> list[tuple[list[str], str]]:
    """Sources in the checkout and where they go, below the working folder."""
    parts = [shlex.split(copy.text) for copy in of_image("COPY") if not copy.text.startswith("--from")]
    return [(words[:-1], words[-1]) for words in parts]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for env in of_image("ENV") for pair in env.text.split())


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps it, or a folder that it is in, from the builder."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    parts = Path(path).parts
    for depth in range(1, len(parts) + 1):
        whole, name = "/".join(parts[:depth]), parts[depth - 1]
        for pattern in patterns:
            if fnmatchcase(whole, pattern) or (pattern.startswith("**/") and fnmatchcase(name, pattern[3:])):
                return True
    return False


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return document


def services() -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"]
    return found


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """Section, key, values: a key may come more than once."""
    parser = RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",), dict_type=Multi)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "deploy" / name)
    return {section: {key: value.split("\n") for key, value in parser.items(section)} for section in parser.sections()}


class Multi(dict):
    """Keeps the values of a key that is given again, each in a line."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, list) and isinstance(self.get(key), list):
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def unit_command(name: str) -> list[str]:
    (command,) = unit(name)["Service"]["ExecStart"]
    return shlex.split(command)


def commands() -> list[list[str]]:
    """Every command of every file, of our own code."""
    found = [of_image("CMD")[-1].words, of_image("HEALTHCHECK")[-1].words]
    for name in OURS:
        service = services()[name]
        found += [service["command"]] if "command" in service else []
        found += [service["healthcheck"]["test"][1:]] if "test" in service.get("healthcheck", {}) else []
    for name in UNITS:
        section = unit(name)["Service"]
        found += [shlex.split(line) for key in ("ExecStartPre", "ExecStart") for line in section[key]]
    return found


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]
