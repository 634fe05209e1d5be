"""Checks the built book: every link and picture of a page leads to a file of the book, and to an id on it.

    links.py BOOK
"""

import html.parser
import pathlib
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    """The ids of a page, and where it leads."""

    def __init__(self, file):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def main(book):
    pages = {file.resolve(): Page(file) for file in book.rglob("*.html")}
    # A page that prints the whole book, and one for addresses that do not exist, repeat what is on others.
    checked = {file: page for file, page in pages.items() if file.name not in ("print.html", "404.html", "toc.html")}
    faults, links = [], 0
    for file, page in checked.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            links += 1
            target = (file.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else file
            if not target.exists():
                faults.append(f"{file.relative_to(book)}: {link} leads nowhere")
            elif parts.fragment and target in pages:
                if urllib.parse.unquote(parts.fragment) not in pages[target].ids:
                    faults.append(f"{file.relative_to(book)}: {link}: no such heading")
    print("\n".join(faults))
    if faults or not checked:
        sys.exit(f"{len(faults)} links are broken")
    print(f"{len(checked)} pages, {links} links")


main(pathlib.Path(sys.argv[1]).resolve())
