"""/docs: the API reference. Swagger UI renders /openapi.json; nothing is loaded from other servers."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from clearwindow.core.errors import NotFoundError
from clearwindow.web.notices import notice_of

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    # Swagger UI sets style attributes.
    "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ASSETS: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon.png": "image/png",
}
_ASSET_HEADERS: Final = {"Cache-Control": "public, max-age=86400"}

# A file of its own, because the policy above forbids scripts inside the page.
_START_SCRIPT: Final = """\
SwaggerUIBundle({
  url: "openapi.json", dom_id: "#reference", deepLinking: true, docExpansion: "none", filter: true,
  tryItOutEnabled: false, validatorUrl: null, persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Clearwindow: API reference</title>
<link rel="icon" href="docs/assets/favicon.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
{notice}<div id="reference"></div>
<noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> says the same.</noscript>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

router: Final = APIRouter(include_in_schema=False)


@router.get("/docs")
async def page(request: Request) -> Response:
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
    return Response(_PAGE.format(notice=await notice_of(request)), media_type="text/html", headers=headers)


@router.get("/openapi.json")
def document(request: Request) -> Response:
    # It runs in a thread, unlike FastAPI's own route: making the document would delay all other requests.
    app: FastAPI = request.app
    return JSONResponse(app.openapi())


@router.get("/docs/start.js")
async def start_script() -> Response:
    return Response(_START_SCRIPT, media_type="text/javascript")


@router.get("/docs/assets/{name}")
def asset(name: str) -> Response:
    if name not in _ASSETS:
        raise NotFoundError("no_such_path", "there is no such file")
    content = files("fastapi_offline").joinpath("static", name).read_bytes()
    return Response(content, media_type=_ASSETS[name], headers=_ASSET_HEADERS)
