"""Write the contract: python -m daemon.contract."""

from pathlib import Path

from daemon.contract.files import files

FOLDER = Path(__file__).parents[2] / "docs" / "contract"

if __name__ == "__main__":
    for stale in set(FOLDER.glob("*")) - {FOLDER / name for name in files()}:
        stale.unlink()
    for name, text in files().items():
        (FOLDER / name).write_text(text)
