"""Write what is shipped: a bill of materials (docs/bom.json, CycloneDX) and licences (docs/licences.md).

Both come from the runtime lock and from what each package says of itself where it is installed. A package
whose licence nobody has agreed to yet is an error.
"""

import sys
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from license_expression import ExpressionError, ParseError, get_spdx_licensing
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK, BOM, PAGE = ROOT / "requirements.txt", ROOT / "docs/bom.json", ROOT / "docs/licences.md"
AGREED = {
    "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "LGPL-3.0-only", "MIT", "PSF-2.0",
}  # fmt: skip
# Packages that tell their licence in words only, and what those words are in SPDX's names.
SAID = {
    "Apache License 2.0": "Apache-2.0",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
}
INSIDE = {
    "botocore": "certificates of Mozilla's store (MPL-2.0); parts of requests and six (Apache-2.0, MIT)",
    "psycopg-binary": "libpq (PostgreSQL), OpenSSL (Apache-2.0), OpenLDAP (OLDAP-2.8), MIT Kerberos and "
    "com_err (MIT), Cyrus SASL (BSD-3-Clause-Attribution), libxcrypt and keyutils (LGPL-2.1-or-later)",
}
HEAD = """# Licences of what is shipped

novabatch itself: Apache-2.0. The image and an installation from `requirements.txt` hold these packages beside
it; each carries its licence's text in its `dist-info` folder. Written by `make pages` from the runtime lock;
[bom.json](bom.json) has the same for programs (CycloneDX 1.6). A package with a licence that is not among
those named here fails `make pages` and the tests. What tests and builds need is not shipped and not here.

| package | version | licence | carries inside |
|---|---|---|---|
"""


class UnknownLicence(Exception):
    """A package has a licence that nobody has agreed to."""


@dataclass(frozen=True)
class Shipped:
    """A package of the runtime lock, with the names of those it needs, shipped or not."""

    name: str
    version: str
    licence: str
    needs: frozenset[str]


def shipped() -> Iterator[Shipped]:
    """Yield the packages that the lock installs on Linux."""
    for line in LOCK.read_text().splitlines():
        if "==" in line:
            wanted = Requirement(line.rstrip(" \\"))
            if wanted.marker is None or wanted.marker.evaluate({"sys_platform": "linux"}):
                (pin,) = wanted.specifier
                yield told(wanted.name, pin.version)


def told(name: str, version: str) -> Shipped:
    """Read what a package tells of itself; raises UnknownLicence, and ValueError for another version."""
    found = distribution(name)
    if found.version != version:
        raise ValueError(f"{name} {found.version} is installed, the lock has {version}: run `make venv`")
    licence = licence_of(
        name, [found.metadata[key] or "" for key in ("License-Expression", "License")], classifiers(name)
    )
    needs = [Requirement(line) for line in found.requires or ()]
    return Shipped(name, version, licence, frozenset(canonicalize_name(each.name) for each in needs))


def classifiers(name: str) -> list[str]:
    """Return what a package's classifiers say of its licence."""
    said = distribution(name).metadata.get_all("Classifier") or []
    return [line for line in said if line.startswith("License")]


def licence_of(name: str, words: list[str], classified: list[str]) -> str:
    """Return a licence as an SPDX expression that everybody has agreed to."""
    said = next(filter(None, [*words, *classified]), "none")
    expression = SAID.get(said, said)
    try:
        parsed = get_spdx_licensing().parse(expression, validate=True)
        keys = {symbol.key for symbol in parsed.symbols}
    except (ExpressionError, ParseError):
        keys = {expression}
    if keys - AGREED:
        raise UnknownLicence(
            f"{name} tells its licence as {said!r}, which is not among those agreed to: read it, then add it "
            f"to AGREED or, if it only is written otherwise, to SAID in .ci/bom.py"
        )
    return expression


def bill(packages: list[Shipped]) -> str:
    """Return the bill of materials; the same lock gives the same text."""
    licences = LicenseFactory()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, LOCK.read_text()))
    bom.metadata.timestamp = None
    whole = bom.metadata.component = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.APPLICATION,
        bom_ref=project["name"],
        licenses=[licences.make_from_string(project["license"])],
    )
    parts = {
        each.name: Component(
            name=each.name,
            version=each.version,
            bom_ref=f"{each.name}@{each.version}",
            purl=PackageURL("pypi", name=each.name, version=each.version),
            licenses=[licences.make_from_string(each.licence)],
        )
        for each in packages
    }
    bom.components.update(parts.values())
    bom.register_dependency(whole, [parts[name] for name in sorted(direct & parts.keys())])
    for each in packages:
        bom.register_dependency(parts[each.name], [parts[name] for name in each.needs & parts.keys()])
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1) + "\n"


def page(packages: list[Shipped]) -> str:
    """Return the list of licences."""
    rows = [f"| {p.name} | {p.version} | {p.licence} | {INSIDE.get(p.name, '')} |\n" for p in packages]
    return HEAD + "".join(rows)


def main() -> int:
    """Write both files; 1 if a licence is unknown."""
    try:
        packages = list(shipped())
    except (UnknownLicence, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    BOM.write_text(bill(packages))
    PAGE.write_text(page(packages))
    return 0


if __name__ == "__main__":
    sys.exit(main())
