"""Who may import whom: ingestion -> catalog, exports -> catalog, and no others."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def modules(app: str) -> list[Path]:
    return sorted((ROOT / app).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The top-level names that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize(
    ("app", "forbidden"),
    [
        ("catalog", {"ingestion", "exports", "demo"}),
        ("ingestion", {"exports", "demo"}),
        ("exports", {"ingestion", "demo"}),
    ],
)
def test_an_app_imports_no_app_beside_or_above_it(app: str, forbidden: set[str]) -> None:
    wrong = {
        str(path.relative_to(ROOT)): imported(path) & forbidden for path in modules(app) if "tests" not in path.parts
    }

    assert {path: names for path, names in wrong.items() if names} == {}


def test_the_rules_of_the_catalogue_know_nothing_of_admin() -> None:
    outside = [path for path in modules("catalog") if not {"admin", "tests"} & set(path.parts)]

    assert [path.name for path in outside if "catalog.admin" in path.read_text()] == []


def test_the_tests_of_catalog_need_no_other_app() -> None:
    assert [path.name for path in modules("catalog") if imported(path) & {"ingestion", "exports", "demo"}] == []


def test_the_modules_are_really_read() -> None:
    assert "django" in imported(ROOT / "catalog" / "views.py")
    assert len(modules("catalog")) > 10
