"""The application: URLs to views, as pages and as JSON. It only reads; the one POST asks for an audit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from foedus.contracts.deployment import Deployment
from foedus.dashboard import pages
from foedus.dashboard.headers import Headers
from foedus.dashboard.lookup import Nothing
from foedus.dashboard.plain import Plain
from foedus.dashboard.service import POLL_SECONDS, Service
from foedus.dashboard.views import Views
from foedus.protocol.ports import BlobStore

FIRST_READING_SECONDS = 5.0
"""How long the start waits for the chain; after that pages are served without it, and say so."""


def create_app(
    rpc: str, deployment: Deployment, store: BlobStore, *, poll_seconds: float = POLL_SECONDS, watch: bool = True
) -> FastAPI:
    """The dashboard of one deployment: its chain at `rpc`, its blobs in `store`, which the caller closes.

    poll_seconds: between readings of the chain; watch: audit tasks that somebody looks at as their rounds become final,
    which is where metrics come from before anybody presses Verify.
    """
    service = Service(rpc, deployment, store, poll_seconds, watch)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_READING_SECONDS):
                    await service.settled()
            yield

    app = FastAPI(title="Foedus", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    app.state.service = service
    views = Views(service)
    app.include_router(_api(views))
    app.include_router(_pages(views))
    app.mount("/static", StaticFiles(directory=pages.STATIC), name="static")
    app.add_middleware(Headers)

    async def refuse(request: Request, error: Exception) -> Response:
        return _refusal(views, request, error)

    app.add_exception_handler(Nothing, refuse)
    app.add_exception_handler(HTTPException, refuse)
    return app


def _api(views: Views) -> APIRouter:
    api = APIRouter(prefix="/api")

    @api.get("/state")
    async def state() -> Plain:
        """The newest block read, and how fresh that is."""
        return views.state()

    @api.get("/tasks")
    async def tasks() -> Plain:
        """Every task of the deployment, the newest first."""
        return {"state": views.state(), "tasks": views.tasks()}

    @api.get("/tasks/{address}")
    async def task(address: str) -> Plain:
        """One task in full."""
        return {"state": views.state(), **views.task(address)}

    @api.get("/tasks/{address}/rounds/{number}")
    async def round_(address: str, number: str) -> Plain:
        """The attempts at one round, the newest first."""
        summary, attempts = views.rounds(address, number)
        return {"state": views.state(), "task": summary["task"], "attempts": attempts}

    @api.get("/tasks/{address}/models/{root}")
    async def model(address: str, root: str) -> Plain:
        """A model's provenance, back to the first."""
        summary, steps = views.model(address, root)
        return {"state": views.state(), "task": summary["task"], "provenance": steps}

    @api.get("/tasks/{address}/audit")
    async def audit(address: str) -> Plain:
        """The last audit's findings."""
        return views.audit(address)

    @api.post("/tasks/{address}/audit", status_code=HTTPStatus.ACCEPTED)
    async def verify(address: str, request: Request) -> Plain:
        """Audit every finished round against chain and store; ask again for what came of it."""
        _from_here(request)
        return views.verify(address)

    return api


def _pages(views: Views) -> APIRouter:
    site = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @site.get("/")
    async def tasks() -> str:
        return pages.tasks_page(views.state(), views.tasks())

    @site.get("/tasks/{address}")
    async def task(address: str) -> str:
        return pages.task_page(views.state(), views.task(address))

    @site.get("/tasks/{address}/rounds/{number}")
    async def round_(address: str, number: str) -> str:
        return pages.round_page(views.state(), *views.rounds(address, number))

    @site.get("/tasks/{address}/models/{root}")
    async def model(address: str, root: str) -> str:
        return pages.model_page(views.state(), *views.model(address, root))

    @site.post("/tasks/{address}/audit")
    async def verify(address: str, request: Request) -> Response:
        _from_here(request)
        found = views.verify(address)
        return RedirectResponse(f"/tasks/{found['task']}#audit", HTTPStatus.SEE_OTHER)

    return site


def _from_here(request: Request) -> None:
    """Refuse what another site makes a visitor's browser send."""
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign or request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise Nothing(HTTPStatus.FORBIDDEN, "Not from here", "Only the dashboard's own pages may ask for an audit.")


def _refusal(views: Views, request: Request, error: Exception) -> Response:
    if isinstance(error, Nothing):
        status, heading, text = error.status, error.heading, error.text
    else:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        heading, text = status.phrase.capitalize(), f"{request.url.path[:200]}: {error.detail}."
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": heading, "detail": text}, status)
    return HTMLResponse(pages.message_page(views.state(), int(status), heading, text), status)
