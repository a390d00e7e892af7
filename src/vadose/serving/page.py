"""Reference of the interface as a page without scripts, from its OpenAPI description."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ info.title }}: interface</title></head>
<body><main><h1>{{ info.title }}</h1>
<p>{{ info.description }} The same as <a href="/openapi.json">OpenAPI</a>. <a href="/">The viewer</a>.</p>
{% for tag, routes in groups.items() %}<h2>{{ tag }}</h2>
{% for route in routes %}<section><h3><code>{{ route.method }} {{ route.path }}</code></h3>
<p>{{ route.summary }}</p>
{% if route.parameters %}<table><thead><tr><th>parameter</th><th>in</th><th>meaning</th></tr></thead><tbody>
{% for one in route.parameters %}<tr><td><code>{{ one.name }}</code></td><td>{{ one["in"] }}</td>
<td>{{ one.description or "" }}{% if one.required %} (required){% endif %}</td></tr>
{% endfor %}</tbody></table>{% endif %}</section>
{% endfor %}{% endfor %}</main></body></html>
"""


def reference_page(openapi: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI description."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in openapi["paths"].items():
        for method, route in methods.items():
            facts = {
                "method": method.upper(),
                "path": path,
                "summary": route.get("summary", ""),
                "parameters": route.get("parameters", []),
            }
            groups.setdefault((route.get("tags") or ["other"])[0], []).append(facts)
    return Environment(autoescape=True).from_string(_PAGE).render(info=openapi["info"], groups=groups)
