"""Brings the catalogue of translations up to date with the sources, and prints what is not translated as JSON.

    python -m tests.language.update [FILE.json ...]

A FILE has new translations: an object with messages (of a plural, the singular) and their Chinese. Messages that the
program no longer has are deleted. Ends with 1 while something is not translated.
"""

import json
import sys
from pathlib import Path

from tests.language import catalogue
from tests.language.catalogue import CATALOGUE


def main() -> int:
    """Write the catalogue; return the exit code."""
    known = catalogue.read() if CATALOGUE.exists() else {}
    given: dict[str, str] = {}
    for name in sys.argv[1:]:
        given |= json.loads(Path(name).read_text(encoding="utf-8"))
    wanted = catalogue.wanted()
    translations = {message: given.pop(catalogue.singular(message), "") or known.get(message, "") for message in wanted}
    CATALOGUE.write_text(catalogue.text(translations), encoding="utf-8")
    if given:
        print(f"not in the program: {json.dumps([*given], ensure_ascii=False, indent=1)}", file=sys.stderr)
    missing = dict.fromkeys(
        sorted(catalogue.singular(message) for message, text in translations.items() if not text), ""
    )
    print(json.dumps(missing, ensure_ascii=False, indent=1))
    return 1 if missing or given else 0


if __name__ == "__main__":
    sys.exit(main())
