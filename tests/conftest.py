"""Says at the top of a run what its figures rest on."""

import sys

from tools.deliver.package import pinned_python


def pytest_report_header() -> str | None:
    wanted, here = (".".join(map(str, version[:2])) for version in (pinned_python(), sys.version_info))
    if here == wanted:
        return None
    return f"Python {wanted}, which goes to AWS, is not the Python of this environment: packages are built for {here}"
