"""HTTP interface of the studio for runs of tests: their list, pages and reports."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from pydantic import Field

from video_tcav.concepts.bank import ConceptBank
from video_tcav.studio.run_matches import list_payload, run_payload
from video_tcav.studio.runs import Run, Runs
from video_tcav.studio.security import Refusal

RunId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
# A sandboxed page has an origin of its own: a report may run the scripts in it, but has neither the studio's cookie nor its
# interface nor any network.
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; media-src data: blob:; font-src data:; connect-src 'none'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def add_runs(app: FastAPI, bank: ConceptBank, runs: Runs, *, page: Path) -> None:
    """Serve the runs, their pages and their reports."""

    def run_of(id: str) -> Run:
        for run in runs.find().runs:
            if run.id == id:
                return run
        raise Refusal(404, "There is no such run any more. Load the list of runs again.")

    @app.get("/api/runs")
    def read_runs() -> dict[str, Any]:
        return list_payload(runs.find(), bank)

    @app.get("/api/runs/{id}")
    def read_run(id: RunId) -> dict[str, Any]:
        return run_payload(run_of(id), bank)

    @app.get("/runs")
    def list_page() -> Response:
        return FileResponse(page, headers={"Cache-Control": "no-store"})

    @app.get("/runs/{id}")
    def run_page(id: RunId) -> Response:
        run_of(id)
        return FileResponse(page, headers={"Cache-Control": "no-store"})

    @app.get("/runs/{id}/report")
    def report(id: RunId) -> Response:
        path = run_of(id).report
        if path is None:
            raise Refusal(404, "The run has no report.html in its folder.")
        return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})
