"""Settings kept in dataclasses: each field's help, limits and type stand once, beside it.

From there they are checked, read from the command line, and written as TOML.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pengadil.errors import did_you_mean

LONGEST_SHOWN = 60


def about(
    text: str, *, low: float | None = None, above: float | None = None, below: float | None = None
) -> dict[str, Any]:
    """Metadata for `dataclasses.field`: help, and a number's limits (`low` itself is allowed).

    For a list, `low` is its least length.
    """
    return {"help": text, "low": low, "above": above, "below": below}


@dataclass(frozen=True, slots=True)
class Setting:
    """A field by its full name (`train.epochs`), its type, and its default (MISSING: none)."""

    name: str
    kind: Any
    default: Any
    metadata: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The name without its section."""
        return self.name.rpartition(".")[2]

    @property
    def help(self) -> str:
        """What the field is for, in one line."""
        return str(self.metadata["help"])

    @property
    def words(self) -> tuple[str, ...]:
        """The words that the field takes, where these are a fixed few."""
        kinds = [self.kind, *get_args(self.kind)]
        return tuple(w for k in kinds if get_origin(k) is Literal for w in get_args(k))

    def parse(self, text: str) -> Any:
        """A command-line text in the field's type; unreadable text is left for `accept`."""
        if self.kind is bool:
            return {"true": True, "false": False}.get(text.lower(), text)
        if self.kind in (int, float):
            try:
                return self.kind(text)
            except ValueError:
                return text
        if self._takes_list and text not in self.words:
            return [part.strip() for part in text.split(",")] if text.strip() else []
        return text

    def accept(self, value: Any) -> Any:
        """The value in the field's type. ValueError says what is wrong with it.

        Strict: true is no number and 2.0 no whole number, but 2 is accepted for 2.0.
        """
        if isinstance(value, str) and value in self.words:
            return value
        if self._takes_list:
            return self._accept_list(value)
        if self.words:
            raise ValueError(f"is none of {', '.join(self.words)}")
        if self.kind in (int, float):
            return self._accept_number(value)
        if not isinstance(value, self.kind):
            raise ValueError("is not true or false" if self.kind is bool else "is not a text")
        if value == "" and self.default != "":
            raise ValueError("is empty")
        return value

    @property
    def _takes_list(self) -> bool:
        return tuple in (get_origin(kind) for kind in (self.kind, *get_args(self.kind)))

    def _accept_list(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            also = f", nor {' or '.join(self.words)}" if self.words else ""
            raise ValueError(f"is not a list of texts{also}")
        if "" in value:
            raise ValueError("has an empty item")
        if len(value) < (self.metadata["low"] or 0):
            raise ValueError("is too short a list")
        return tuple(value)

    def _accept_number(self, value: Any) -> float:
        number = int | float if self.kind is float else int
        if isinstance(value, bool) or not isinstance(value, number):
            raise ValueError(f"is not a {'' if self.kind is float else 'whole '}number")
        try:
            value = self.kind(value)
        except OverflowError:
            value = math.inf
        low, above, below = (self.metadata[limit] for limit in ("low", "above", "below"))
        if not math.isfinite(value):
            raise ValueError("is not finite")
        if low is not None and value < low:
            raise ValueError(f"is less than {low}")
        if above is not None and value <= above:
            raise ValueError(f"is not above {above}")
        if below is not None and value >= below:
            raise ValueError(f"is not below {below}")
        return value  # type: ignore[no-any-return]


def settings_of(owner: type, section: str = "") -> Iterator[Setting]:
    """Every field of a dataclass and of the dataclasses in it, in order."""
    kinds = get_type_hints(owner)
    for item in fields(owner):
        name = f"{section}.{item.name}" if section else item.name
        if is_dataclass(kinds[item.name]):
            yield from settings_of(kinds[item.name], name)
        else:
            yield Setting(name, kinds[item.name], item.default, item.metadata)


def build(owner: type, values: Mapping[str, Any], section: str = "") -> Any:
    """The dataclass from values by full name; fields left out keep their defaults."""
    kinds = get_type_hints(owner)
    arguments = {}
    for item in fields(owner):
        name = f"{section}.{item.name}" if section else item.name
        if is_dataclass(kinds[item.name]):
            arguments[item.name] = build(kinds[item.name], values, name)
        elif name in values:
            arguments[item.name] = values[name]
    return owner(**arguments)


def value_of(owner: object, name: str) -> Any:
    """The value that `name`, such as `train.epochs`, has in a dataclass."""
    for part in name.split("."):
        owner = getattr(owner, part)
    return owner


def toml_value(value: Any) -> str:
    """A text, number, truth value or list of these as TOML."""
    if isinstance(value, str):
        # A JSON string is a TOML one but for the delete character, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return repr(value)


def shown(value: Any) -> str:
    """A value as found, short enough for an error line."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


def one_line(name: str) -> str:
    """A name as it is, or quoted where it holds a line break or another unprintable sign."""
    return name if name.isprintable() else repr(name)


def is_required(setting: Setting) -> bool:
    """Whether a recipe must name the setting, for want of a default."""
    return setting.default is MISSING


def sections_of(known: Mapping[str, Setting]) -> list[str]:
    """The sections that the settings stand in, in order."""
    return list(dict.fromkeys(name.partition(".")[0] for name in known if "." in name))


def from_tables(
    tables: Mapping[str, Any], known: Mapping[str, Setting], faults: list[str]
) -> dict[str, Any]:
    """A TOML file's values by full name, unknown ones too; misplaced tables go to `faults`."""
    flat: dict[str, Any] = {}
    sections = sections_of(known)
    for key, value in tables.items():
        if isinstance(value, dict) and key in sections:
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        elif isinstance(value, dict):
            faults.append(f"unknown section [{one_line(key)}] ({did_you_mean(key, sections)})")
        elif key in sections:
            faults.append(f"{key} = {shown(value)} is not a section (write [{key}])")
        else:
            flat[key] = value
    return flat


def from_words(
    words: Sequence[str], known: Mapping[str, Setting], faults: list[str]
) -> dict[str, Any]:
    """A command line's values by full name, unknown ones too, in their field's type.

    What cannot be read in that type stays a text; words that are no option go to `faults`.
    """
    found: dict[str, Any] = {}
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        option, equals, value = word.partition("=")
        if not option.startswith("--") or option == "--":
            faults.append(f"{shown(word)} belongs to no option (write --train.epochs 2)")
            continue
        if not equals:
            if not waiting or waiting[0].startswith("--"):
                faults.append(f"{one_line(option)} has no value")
                continue
            value = waiting.pop(0)
        name = option[2:].replace("-", "_")
        found[name] = known[name].parse(value) if name in known else value
    return found
