"""Checks a page of vae report: python3 tests/check_page.py FILE.html. Python's own library only.
Says what is wrong and ends with 1."""
import base64
import html.parser
import re
import sys
import zlib

VOID = {"meta", "img", "br"}
HTML = {"html", "head", "title", "style", "body", "header", "main", "footer", "nav", "section", "figure",
        "figcaption", "div", "span", "p", "b", "h1", "h2", "h3", "ul", "li", "dl", "dt", "dd", "table",
        "thead", "tbody", "tr", "th", "td", "pre", "details", "summary", "small", "a", "svg"} | VOID
SVG = {"path", "text", "title"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.ids, self.links = [], [], set(), []
        self.figures = self.captions = self.charts = self.pictures = 0

    def bad(self, what):
        self.wrong.append("line %d: %s" % (self.getpos()[0], what))

    def handle_starttag(self, tag, attributes, closed=False):
        known = dict(attributes)
        if len(known) != len(attributes):
            self.bad("<%s> has an attribute twice" % tag)
        if tag not in (SVG if "svg" in self.open else HTML):
            self.bad("<%s> does not belong here" % tag)
        if "id" in known:
            if known["id"] in self.ids:
                self.bad("id %s twice" % known["id"])
            self.ids.add(known["id"])
        for name, value in attributes:
            if name in ("src", "href", "srcset", "data", "action", "poster"):
                self.reference(tag, name, value or "")
        if tag == "path" and not re.fullmatch(r"[-MLHVZmlhvaz0-9. ]+", known.get("d", "")):
            self.bad("path with d=%r" % known.get("d", "")[:60])
        self.charts += tag == "svg" and known.get("role") == "img"
        self.figures += tag == "figure"
        self.captions += tag == "figcaption"
        if tag == "img" and not known.get("alt"):
            self.bad("a picture without words")
        if tag not in VOID and not closed:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        if "svg" not in self.open:
            self.bad("<%s/> is of SVG only" % tag)
        self.handle_starttag(tag, attributes, True)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.bad("</%s> closes <%s>" % (tag, self.open[-1] if self.open else ""))
        else:
            self.open.pop()

    def handle_data(self, data):
        if re.search(r"(?<![a-zA-Z])-?(nan|inf)(?![a-zA-Z])", data) and self.open[-1] != "style":
            self.bad("a number that is not finite: %r" % data[:60])
        if "style" in self.open and re.search(r"url\(|@import|https?:", data):
            self.bad("the style refers to another file")

    def reference(self, tag, name, value):
        if value.startswith("#"):
            self.links.append(value[1:])
        elif tag == "img" and value.startswith("data:image/png;base64,"):
            self.pictures += 1
            try:
                self.picture(base64.b64decode(value[22:], validate=True))
            except (ValueError, zlib.error) as error:
                self.bad("a picture is broken: %s" % error)
        else:
            self.bad("<%s %s=%r> refers to another file" % (tag, name, value[:60]))

    def picture(self, png):
        size, channels = [int.from_bytes(png[at:at + 4], "big") for at in (16, 20)], {0: 1, 2: 3}[png[25]]
        data, at = b"", 8
        while at < len(png):
            length = int.from_bytes(png[at:at + 4], "big")
            if zlib.crc32(png[at + 4:at + 8 + length]) != int.from_bytes(png[at + 8 + length:at + 12 + length], "big"):
                raise ValueError("a checksum")
            if png[at + 4:at + 8] == b"IDAT":
                data += png[at + 8:at + 8 + length]
            at += 12 + length
        if png[:4] != b"\x89PNG" or len(zlib.decompress(data)) != size[1] * (1 + size[0] * channels):
            raise ValueError("its size")


text = open(sys.argv[1], encoding="utf-8").read()
page = Page()
page.feed(text)
page.close()
if not text.startswith("<!DOCTYPE html>\n"):
    page.wrong.append("no DOCTYPE")
if page.open:
    page.wrong.append("not closed: %s" % page.open)
for link in page.links:
    if link not in page.ids:
        page.wrong.append("a link to #%s, which is not there" % link)
if page.figures < 2 or page.figures != page.captions or page.charts < 1 or page.pictures < 1:
    page.wrong.append("%d figures, %d captions, %d charts, %d pictures"
                      % (page.figures, page.captions, page.charts, page.pictures))
numbers = [int(n) for n in re.findall(r"<b>Figure (\d+)\.</b>", text)]
if numbers != list(range(1, page.figures + 1)):
    page.wrong.append("figures are numbered %s" % numbers)
for line in page.wrong[:10]:
    print("    " + line)
sys.exit(1 if page.wrong else 0)
