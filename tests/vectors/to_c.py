#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Turn a file of vectors into C, so that the tests need neither a JSON library nor a file at run time.

Usage: to_c.py NAME.json NAME.c
Defines `const struct vector NAME`; see vectors.h.
"""
import json
import pathlib
import sys

TYPES = {type(None): "NULL", int: "NUMBER", str: "STRING", list: "LIST", dict: "OBJECT"}


def quoted(text):
    octets = "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{octets}"'


class Writer:
    def __init__(self):
        self.arrays = []

    def fields(self, value, key=None):
        """The initialiser of one value; what it contains is written before it."""
        if type(value) not in TYPES:
            raise SystemExit(f"to_c.py: no C for {value!r} (member {key})")
        fields = [f".type = VECTOR_{TYPES[type(value)]}"]
        if key is not None:
            fields.append(f".key = {quoted(key)}")
        if isinstance(value, int):
            fields.append(f".number = INT64_C({value})")
        elif isinstance(value, str):
            fields.append(f".string = {quoted(value)}")
        elif isinstance(value, (list, dict)) and value:
            members = value.items() if isinstance(value, dict) else [(None, item) for item in value]
            body = ",\n".join("\t" + self.fields(item, name) for name, item in members)
            name = f"items_{len(self.arrays)}"
            self.arrays.append(f"static const struct vector {name}[] = {{\n{body}\n}};\n")
            fields += [f".n = {len(value)}", f".items = {name}"]
        return "{ " + ", ".join(fields) + " }"


def main(source, target):
    source = pathlib.Path(source)
    writer = Writer()
    top = writer.fields(json.loads(source.read_text()))
    pathlib.Path(target).write_text(
        f"/* made from {source.name} */\n#include \"vectors.h\"\n\n" + "\n".join(writer.arrays) +
        f"\nconst struct vector {source.stem} = {top};\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
