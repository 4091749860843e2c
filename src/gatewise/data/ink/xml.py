"""XML of strangers, read without following or expanding anything in it."""

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gatewise.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def parse_xml(content: bytes, where: str) -> "Element":
    """The root element of a document.

    Raises:
        DataError: this is no well-formed XML; or it declares entities or refers to other files, neither of which ink
            needs, and by which a small file can fill the memory or read what it should not.
        ConfigurationError: the package defusedxml, which refuses them, is not installed.
    """
    parser, refusals = _package("ElementTree"), _package("common")
    try:
        return parser.fromstring(content)
    except refusals.DefusedXmlException as error:
        raise DataError(
            f"{where} declares entities or refers to other files ({type(error).__name__}), which is not followed: "
            "expected plain elements; write the file without a DOCTYPE"
        ) from error
    except parser.ParseError as error:
        raise DataError(f"{where} is no well-formed XML: {error}") from error
    except (LookupError, ValueError) as error:  # an encoding that is unknown, or of several bytes
        raise DataError(f"{where} cannot be read as XML: {error}") from error


def local_name(element: "Element") -> str:
    """An element's name without its namespace; empty for a comment or an instruction."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def children(element: "Element", name: str) -> "Iterator[Element]":
    """The children of an element of one name, whatever their namespace."""
    return (child for child in element if local_name(child) == name)


def _package(module: str) -> Any:
    try:
        return importlib.import_module(f"defusedxml.{module}")
    except ImportError as error:
        raise ConfigurationError("XML is read with the package defusedxml: pip install 'gatewise[ink]'") from error
