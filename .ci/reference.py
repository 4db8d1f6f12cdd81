"""Build the API reference: a page of HTML for the public names, one for what they take and give.

usage: python .ci/reference.py FOLDER

The names are those of `graphnets.__all__`. What a reader would miss is a warning, and with one the
status is 1: a public name or method without a docstring or an annotation, an annotation or a
mention of `graphnets.something` that leads nowhere.
"""

from __future__ import annotations

import html
import importlib
import inspect
import re
import sys
import textwrap
import types
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path

import pdoc
import pdoc.doc
import pdoc.render
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonConsoleLexer

import graphnets
from graphnets.cli.terminal import quiet_tensorflow

FIELD = re.compile(r"([a-z_]\w*(?:(?:, | and )[a-z_]\w*)*): ")  # "width, height: ..."
BEGINS = re.compile(rf"{FIELD.pattern}|Returns |Raises ")
CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
DOT = '</span><span class="o">.</span><span class="n">'  # between the parts of a highlighted name
OF_TUPLE = re.compile(r"Alias for field number \d+|Create new instance of \w+\(.*\)")
KIND = re.compile(r"`([A-Z]\w+)`")
MENTION = re.compile(r"`graphnets\.([\w.]+)")
ABOUT = """
The examples begin with

>>> import numpy as np
>>> import tensorflow.compat.v1 as tf
>>> import graphnets

and find drawn photos, three a class, in the folder "signs", what `graphnets.retrain` has made of
them in the folder "trained", and Inception's file where `graphnets fetch inception_v3` puts it.
Weights are random where an example says so: what they give means nothing.
"""
KINDS = "What the public functions take and give; no code needs these by their names."


def to_html(docstring: str) -> str:
    """A docstring, which is plain text, as HTML: paragraphs, indented lines, examples, `code`."""
    return "".join(map(_block, _blocks(inspect.cleandoc(docstring))))


def _blocks(text: str) -> Iterator[list[str]]:
    """Lines that belong together; those of an argument are a block of their own."""
    block: list[str] = []
    for line in text.splitlines():
        example = bool(block) and block[0].startswith(">>>")
        indented = line.startswith(" ")
        changes = bool(block) and not example and indented != block[0].startswith(" ")
        if block and (not line or changes or (not example and BEGINS.match(line))):
            yield block
            block = []
        if line:
            block.append(line)
    if block:
        yield block


def _block(lines: list[str]) -> str:
    text = "\n".join(lines)
    if text.startswith(">>>"):
        return highlight(text, PythonConsoleLexer(), HtmlFormatter(cssclass="pdoc-code codehilite"))
    if text.startswith(" "):
        return f"<pre>{_inline(textwrap.dedent(text))}</pre>\n"
    field = FIELD.match(text)
    if field:
        return f"<p><strong>{field[1]}</strong>: {_inline(text[field.end() :])}</p>\n"
    return f"<p>{_inline(text)}</p>\n"


def _inline(text: str) -> str:
    return CODE.sub(r"<code>\2</code>", html.escape(text, quote=False))


def documented() -> list[pdoc.doc.Module]:
    """The two pages: the public names, room by room, and the classes in their signatures."""
    # pdoc asks a module's dictionary, which knows nothing of names that come when they are used.
    values = {name: getattr(graphnets, name) for name in graphnets._MODULES}
    public = _page("graphnets", f"{graphnets.__doc__}{ABOUT}", values)
    for name, member in public.members.items():
        if isinstance(member, pdoc.doc.Variable):  # its docstring stands where it is assigned
            home = importlib.import_module(f"graphnets.{graphnets._MODULES[name]}")
            member.docstring = pdoc.doc.Module(home).members[name].docstring
    found: dict[type, None] = {}
    for member in public.members.values():
        _add_kinds(member, found)
    for kind in (*values.values(), *found):
        if hasattr(kind, "_fields"):  # pdoc does not resolve the annotations of a NamedTuple
            kind.__new__.__annotations__ = typing.get_type_hints(kind)
    pages = [public, _page("kinds", KINDS, {kind.__name__: kind for kind in found})]
    for page in pages:
        _tidy(page)
    return pages


def _tidy(doc: pdoc.doc.Doc) -> None:
    """Leave Python's own words out, and fields of which the constructor's signature says all."""
    if OF_TUPLE.fullmatch(doc.docstring):
        doc.docstring = ""
    if isinstance(doc, pdoc.doc.Function):
        doc.signature = _with_names(doc.signature)
    elif isinstance(doc, pdoc.doc.Namespace):
        for member in doc.own_members:
            _tidy(member)
    if isinstance(doc, pdoc.doc.Class):
        taken = doc.members["__init__"].signature.parameters if "__init__" in doc.members else ()
        for member in doc.own_members:
            if isinstance(member, pdoc.doc.Variable) and not member.docstring:
                if member.name in taken or member.annotation is pdoc.doc.empty:
                    member.docstring = "@private"  # pdoc's word for what is not shown


def _with_names(signature: inspect.Signature) -> inspect.Signature:
    """The signature with functions that are defaults by their names."""
    parameters = [
        parameter.replace(default=_Named(parameter.default))
        if inspect.isroutine(parameter.default)
        else parameter
        for parameter in signature.parameters.values()
    ]
    return signature.replace(parameters=parameters)


class _Named:
    """A function that is a default, as a signature shows it."""

    def __init__(self, function: typing.Callable) -> None:
        self._name = "..." if function.__name__ == "<lambda>" else function.__name__

    def __repr__(self) -> str:
        return self._name


def _page(name: str, about: str, values: dict[str, object]) -> pdoc.doc.Module:
    module = types.ModuleType(name, about)
    vars(module).update(values, __all__=list(values))
    return pdoc.doc.Module(module)


def _add_kinds(doc: pdoc.doc.Doc, found: dict[type, None]) -> None:
    """Add this library's classes in signatures and docstrings, and those in theirs, to `found`."""
    known = vars(sys.modules[doc.taken_from[0]])
    for name in KIND.findall(doc.docstring):
        _add_classes(known.get(name), found)
    if isinstance(doc, pdoc.doc.Class):
        for member in doc.own_members:
            if not member.name.startswith("_"):
                _add_kinds(member, found)
    elif isinstance(doc, pdoc.doc.Function):
        for parameter in doc.signature.parameters.values():
            _add_classes(parameter.annotation, found)
        _add_classes(doc.signature.return_annotation, found)
    elif isinstance(doc, pdoc.doc.Variable):
        _add_classes(doc.annotation, found)


def _add_classes(annotation: object, found: dict[type, None]) -> None:
    for part in annotation if isinstance(annotation, list) else typing.get_args(annotation):
        _add_classes(part, found)  # a Callable has a list of what it takes
    if inspect.isclass(annotation) and annotation.__module__.startswith("graphnets."):
        if annotation not in found and annotation.__name__ not in graphnets.__all__:
            found[annotation] = None
            home = pdoc.doc.Module(importlib.import_module(annotation.__module__))
            _add_kinds(home.get(annotation.__qualname__), found)


def lacks(doc: pdoc.doc.Doc) -> Iterator[str]:
    """What a reader would miss of a public name and of its public members."""
    field = isinstance(doc, pdoc.doc.Variable) and "." in doc.qualname  # told of by its class
    if not doc.docstring and not field:
        yield f"{doc.fullname} has no docstring"
    for mention in MENTION.findall(doc.docstring):
        if not _leads_somewhere(mention):
            yield f"{doc.fullname} mentions graphnets.{mention}, which is not there"
    if isinstance(doc, pdoc.doc.Function):
        yield from _unannotated(doc)
    if isinstance(doc, pdoc.doc.Class):
        for member in doc.own_members:
            if not member.name.startswith("_"):
                yield from lacks(member)


def _unannotated(doc: pdoc.doc.Function) -> Iterator[str]:
    signature = doc.signature
    for name, parameter in signature.parameters.items():
        if parameter.annotation is parameter.empty and name not in ("self", "cls"):
            yield f"{doc.fullname} has no annotation for {name}"
    if signature.return_annotation is signature.empty:
        yield f"{doc.fullname} has no annotation for what it returns"


def _leads_somewhere(mention: str) -> bool:
    value: object = graphnets
    path = "graphnets"
    for part in mention.rstrip(".").split("."):
        path = f"{path}.{part}"
        try:
            value = getattr(value, part) if hasattr(value, part) else importlib.import_module(path)
        except ImportError:
            return False
    return True


def _linked(page: str, members: list[pdoc.doc.Doc]) -> str:
    """The page with links from the classes in signatures, which pdoc knows by their modules."""
    page = page.replace("tensorflow.python.framework.tensor.Tensor".replace(".", DOT), "tf.Tensor")
    page = page.replace('<div class="decorator decorator-plain_text">@plain_text</div>', "")
    for member in members:
        if isinstance(member, pdoc.doc.Class):
            name = f"{member.obj.__module__}.{member.name}"
            link = f'<a href="{member.modulename}.html#{member.name}">{member.name}</a>'
            page = page.replace(name.replace(".", DOT), link)
    return page


def main(folder: str) -> int:
    """Write the pages into the folder; tell what is lacking, and return 1 if anything is."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pages = {page.modulename: page for page in documented()}
        members = [member for page in pages.values() for member in page.members.values()]
        missing = [line for member in members for line in lacks(member)]
        pdoc.render.configure(
            include_undocumented=True, show_source=False, footer_text=graphnets.__version__
        )
        pdoc.render.env.filters |= {"to_markdown": str, "to_html": to_html}
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, page in pages.items():
            text = _linked(pdoc.render.html_module(page, pages), members)
            Path(folder, f"{name}.html").write_text(text, encoding="utf-8")
        Path(folder, "index.html").write_text(pdoc.render.html_index(pages), encoding="utf-8")
        Path(folder, "search.js").write_text(pdoc.render.search_index(pages), encoding="utf-8")
    missing += [str(warning.message) for warning in caught]
    for line in missing:
        print(f"warning: {line}", file=sys.stderr)
    print(f"{len(pages['graphnets'].members)} public names in {Path(folder, 'graphnets.html')}")
    return bool(missing)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    with quiet_tensorflow():
        status = main(sys.argv[1])
    sys.exit(status)
