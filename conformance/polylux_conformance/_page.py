"""The page of the HTML report: markup, style and script in one text, with a place for the data."""

PAGE = r"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>polylux conformance</title>
<style>
:root {
  --paper: #fbfbf9; --panel: #ffffff; --ink: #1c1f24; --soft: #5f6670; --line: #dfe2e6;
  --bad: #c62f2f; --bad-ink: #ffffff; --gap: #b7791f; --accent: #1f5fbf; --none: #f0f1f3;
  --u0: #eef3fb; --u1: #d3e2f7; --u2: #aac9f0; --u3: #7aa9e3; --u4: #4a84d0; --u5: #265fae;
  --u6: #123c7c;
}
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) {
  --paper: #14161a; --panel: #1c1f25; --ink: #e9ebee; --soft: #9aa3af; --line: #323843;
  --bad: #e05252; --bad-ink: #14161a; --gap: #d9a441; --accent: #7db1ff; --none: #22262d;
  --u0: #1d2735; --u1: #20344f; --u2: #24476f; --u3: #2d5d94; --u4: #3f7abd; --u5: #6aa3df;
  --u6: #a9cdf6;
} }
:root[data-theme=dark] {
  --paper: #14161a; --panel: #1c1f25; --ink: #e9ebee; --soft: #9aa3af; --line: #323843;
  --bad: #e05252; --bad-ink: #14161a; --gap: #d9a441; --accent: #7db1ff; --none: #22262d;
  --u0: #1d2735; --u1: #20344f; --u2: #24476f; --u3: #2d5d94; --u4: #3f7abd; --u5: #6aa3df;
  --u6: #a9cdf6;
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 80px; }
header { display: flex; align-items: baseline; gap: 16px; flex-wrap: wrap; }
h1 { font-size: 26px; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 36px 0 4px; }
p.note { color: var(--soft); margin: 4px 0 14px; max-width: 75ch; }
button, input, select { font: inherit; color: inherit; background: var(--panel);
  border: 1px solid var(--line); border-radius: 7px; padding: 5px 10px; }
button:focus-visible, input:focus-visible, select:focus-visible, td:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 1px; }
#theme { margin-left: auto; cursor: pointer; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 12px;
  margin-top: 18px; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 10px;
  padding: 12px 14px; }
.card b { font: 600 14px ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
.card .verdict { font-weight: 600; }
.card small { color: var(--soft); display: block; }
.ok { color: var(--accent); } .no { color: var(--bad); }
.filters { display: flex; gap: 10px; flex-wrap: wrap; margin: 12px 0; align-items: center; }
.filters input { flex: 1 1 220px; min-width: 0; }
.legend { display: flex; gap: 4px 12px; flex-wrap: wrap; font-size: 13px; color: var(--soft); }
.legend i { display: inline-block; width: 14px; height: 14px; border-radius: 3px;
  vertical-align: -2px; margin-right: 4px; border: 1px solid var(--line); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px;
  background: var(--panel); }
table { border-collapse: separate; border-spacing: 2px; font-size: 13px; }
#matrix { width: 100%; }
#matrix thead th:not(:first-child), .map tr:first-child th { text-align: center; }
th { font-weight: 600; text-align: left; padding: 5px 8px; }
#matrix thead th, .map th { font-family: ui-monospace, Menlo, Consolas, monospace;
  font-size: 12px; }
#matrix thead th { position: sticky; top: 0; background: var(--panel); z-index: 1; }
tr.family th { padding-top: 12px; cursor: pointer; user-select: none; }
tr.family th span { color: var(--soft); font-weight: 400; }
tbody td.name { padding: 2px 8px 2px 20px; color: var(--ink); overflow-wrap: anywhere; }
td.cell { text-align: center; width: 150px; min-width: 92px; padding: 2px 6px; border-radius: 4px;
  cursor: pointer; font-variant-numeric: tabular-nums; }
td.cell:hover { box-shadow: inset 0 0 0 2px var(--accent); }
.q0 { background: var(--u0); } .q1 { background: var(--u1); } .q2 { background: var(--u2); }
.q3 { background: var(--u3); } .q4 { background: var(--u4); color: #fff; }
.q5 { background: var(--u5); color: #fff; } .q6 { background: var(--u6); color: #fff; }
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) .q5,
  :root:not([data-theme=light]) .q6 { color: #10131a; } }
:root[data-theme=dark] .q5, :root[data-theme=dark] .q6 { color: #10131a; }
.failed { background: var(--bad); color: var(--bad-ink); font-weight: 700; }
.gap { background: transparent; color: var(--gap); font-weight: 600;
  box-shadow: inset 0 0 0 2px var(--gap); }
.none { background: var(--none); color: var(--soft); }
.map td { padding: 8px 12px; }
dialog { border: 1px solid var(--line); border-radius: 12px; background: var(--panel);
  color: var(--ink); max-width: min(760px, 92vw); width: 100%; padding: 20px 22px; }
dialog::backdrop { background: rgb(0 0 0 / 45%); }
dialog h3 { margin: 0 40px 2px 0; font-size: 17px; overflow-wrap: anywhere; }
dialog form { position: absolute; right: 14px; top: 14px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 14px; margin: 10px 0;
  padding: 10px 12px; border: 1px solid var(--line); border-radius: 8px; }
dt { color: var(--soft); }
dd { margin: 0; font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 13px;
  overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<header><h1>polylux conformance</h1><span id="machine" class="legend"></span>
<button id="theme" type="button" aria-label="Light or dark">light / dark</button></header>
<section class="cards" id="cards" aria-label="Backends"></section>

<section id="deviations">
<h2>Between backends</h2>
<p class="note">The largest difference of two backends on any array that both computed, gradients
and trained parameters, in units in the last place (ulps) of the array's dtype. Two exact backends
may be 16 ulps apart, times the condition number of what they computed.</p>
<div class="scroll"><table class="map" id="map"></table></div>
</section>

<h2>Checks</h2>
<p class="note">Each cell is the worst error of a check, in units in the last place (ulps) of the
dtype. What is allowed differs from check to check, with its condition number and with the accuracy
that the backend declares; a cell opens what was compared.</p>
<div class="filters">
<input id="text" type="search" placeholder="Filter by name" aria-label="Filter by name">
<select id="level" aria-label="Level"><option value="">every level</option></select>
<select id="status" aria-label="Result"><option value="">every result</option>
<option>failed</option><option>known gap</option><option>passed</option>
<option>not applicable</option></select>
<button id="fold" type="button">fold all</button>
</div>
<div class="legend" id="legend"></div>
<div class="scroll" style="margin-top:10px">
<table id="matrix"><thead></thead><tbody></tbody></table></div>
</main>
<dialog id="detail"><form method="dialog"><button aria-label="Close">&times;</button></form>
<div id="body"></div></dialog>
<script type="application/json" id="data">__DATA__</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const make = (tag, text, name) => {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (name) e.className = name;
  return e;
};
const bounds = [0.5, 2, 8, 64, 1e4, 1e8];
const told = ["at most 0.5 ulps", "2", "8", "64", "10,000", "1e8", "more"];
const rank = ulps => {
  const u = ulps === "inf" ? Infinity : ulps;
  const k = bounds.findIndex(b => u <= b);
  return k < 0 ? bounds.length : k;
};
const short = u => u === "inf" ? "\u221e" : u === 0 ? "0" :
  u < 0.1 ? "<0.1" : u < 100 ? String(+u.toPrecision(2)) :
  u < 1e4 ? String(Math.round(u)) : u.toExponential(0).replace("+", "");
const times = units => (units === "inf" ? "\u221e" : +(+units).toPrecision(2))
  + " times the tolerance";

$("machine").textContent = data.backends.length ? data.backends[0].machine : "";
data.backends.forEach((backend, i) => {
  const cells = Object.values(data.cells[i]);
  const count = s => cells.filter(c => c.status === s).length;
  const card = make("div", undefined, "card");
  card.append(make("b", backend.selector));
  const bad = count("failed");
  card.append(make("div", bad ? bad + " of " + cells.length + " failed"
    : count("passed") + " passed", "verdict " + (bad ? "no" : "ok")));
  const more = [];
  if (count("known gap")) more.push(count("known gap") + " known gaps");
  if (count("not applicable")) more.push(count("not applicable") + " not applicable");
  more.push(backend.seconds + " s");
  card.append(make("small", more.join(", ")));
  card.append(make("small", Object.entries(backend.versions).map(v => v.join(" ")).join(", ")));
  $("cards").append(card);
});

told.forEach((text, k) => {
  const entry = make("span");
  entry.append(make("i", "", "q" + k), text);
  $("legend").append(entry);
});
const others = { failed: "failed", gap: "known gap", none: "not applicable" };
for (const [name, text] of Object.entries(others)) {
  const entry = make("span");
  entry.append(make("i", "", name), text);
  $("legend").append(entry);
}
for (const level of new Set(data.checks.map(c => c.level)))
  $("level").append(make("option", level));

const head = make("tr");
head.append(make("th", "check"));
data.backends.forEach(b => head.append(make("th", b.selector)));
$("matrix").tHead.append(head);

const folded = new Set();
const family = id => id.split("/")[0];
function cellOf(cell, check, backend) {
  const td = make("td", "", "cell");
  if (!cell) { td.className = "cell none"; td.textContent = ""; return td; }
  if (cell.status === "failed") { td.classList.add("failed"); td.textContent = "failed"; }
  else if (cell.status === "known gap") { td.classList.add("gap"); td.textContent = "gap"; }
  else if (cell.status !== "passed") { td.classList.add("none"); td.textContent = "\u2013"; }
  else { td.classList.add("q" + rank(cell.ulps ?? 0)); td.textContent = short(cell.ulps ?? 0); }
  td.title = check.id + " on " + backend + ": " + cell.status;
  td.tabIndex = 0;
  const show = () => detail(cell, check, backend);
  td.addEventListener("click", show);
  td.addEventListener("keydown", e => { if (e.key === "Enter") show(); });
  return td;
}
function draw() {
  const text = $("text").value.toLowerCase(), level = $("level").value, status = $("status").value;
  const body = $("matrix").tBodies[0];
  body.replaceChildren();
  const wanted = data.checks.filter(c =>
    (!level || c.level === level) &&
    (!text || (c.id + " " + c.about).toLowerCase().includes(text)) &&
    (!status || data.cells.some(cells => cells[c.id] && cells[c.id].status === status)));
  const families = new Map();
  wanted.forEach(c => {
    if (!families.has(family(c.id))) families.set(family(c.id), []);
    families.get(family(c.id)).push(c);
  });
  for (const [name, checks] of families) {
    const row = make("tr", undefined, "family");
    const th = make("th");
    th.append((folded.has(name) ? "\u25b8 " : "\u25be ") + name + " ",
      make("span", String(checks.length)));
    row.append(th);
    data.backends.forEach((b, i) => {
      const cells = checks.map(c => data.cells[i][c.id]).filter(Boolean);
      const td = make("td", "", "cell");
      const ran = cells.filter(c => c.status === "passed");
      if (cells.some(c => c.status === "failed")) {
        td.classList.add("failed");
        td.textContent = cells.filter(c => c.status === "failed").length + " failed";
      } else if (!ran.length) { td.classList.add("none"); td.textContent = "\u2013"; }
      else {
        const worst = Math.max(...ran.map(c => c.ulps === "inf" ? Infinity : c.ulps ?? 0));
        td.classList.add("q" + rank(worst));
        td.textContent = short(worst);
      }
      td.style.cursor = "default";
      td.title = "the worst of " + name + " on " + b.selector;
      row.append(td);
    });
    th.addEventListener("click", () => {
      folded.has(name) ? folded.delete(name) : folded.add(name);
      draw();
    });
    body.append(row);
    if (folded.has(name)) continue;
    checks.forEach(check => {
      const tr = make("tr");
      const td = make("td", check.id.slice(name.length + 1), "name");
      td.title = check.about;
      tr.append(td);
      data.backends.forEach((b, i) =>
        tr.append(cellOf(data.cells[i][check.id], check, b.selector)));
      body.append(tr);
    });
  }
  if (!wanted.length) {
    const tr = make("tr");
    const td = make("td", "no check matches", "name");
    td.colSpan = data.backends.length + 1;
    tr.append(td);
    body.append(tr);
  }
}
function detail(cell, check, backend) {
  const body = $("body");
  body.replaceChildren(make("h3", check.id), make("p", check.about, "note"),
    make("div", backend + ": " + cell.status + (cell.count ? ", " + cell.count
      + " comparisons, " + cell.failed + " failed, " + cell.seconds + " s" : "")));
  if (cell.reason) body.append(make("p", cell.reason));
  cell.shown.forEach(c => {
    const dl = make("dl");
    const entry = (k, v) => { if (v !== "") dl.append(make("dt", k), make("dd", v)); };
    entry("compared", c.what);
    entry("point", c.point);
    entry("expected", c.expected);
    entry("found", c.found);
    entry("error", short(c.ulps) + " ulps, " + times(c.units));
    body.append(dl);
  });
  $("detail").showModal();
  link({ check: check.id, backend });
}
// The address names what is open, so that a cell can be sent to someone: #check=...&backend=...
function link(shown) {
  const hash = new URLSearchParams(shown).toString();
  history.replaceState(null, "", hash ? "#" + hash : location.pathname);
}
function follow() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.has("theme")) document.documentElement.dataset.theme = asked.get("theme");
  const check = data.checks.find(c => c.id === asked.get("check"));
  const i = data.backends.findIndex(b => b.selector === asked.get("backend"));
  if (check && i >= 0 && data.cells[i][check.id])
    detail(data.cells[i][check.id], check, data.backends[i].selector);
  if (asked.get("at")) $(asked.get("at"))?.scrollIntoView();
}
$("detail").addEventListener("close", () => link({}));
function drawMap() {
  const names = data.backends.map(b => b.selector);
  if (names.length < 2) { $("deviations").remove(); return; }
  const found = new Map();
  data.pairs.forEach(p => {
    found.set(p.first + "|" + p.second, p);
    found.set(p.second + "|" + p.first, p);
  });
  const top = make("tr");
  top.append(make("th"));
  names.forEach(n => top.append(make("th", n)));
  $("map").append(top);
  names.forEach(row => {
    const tr = make("tr");
    tr.append(make("th", row));
    names.forEach(column => {
      const pair = found.get(row + "|" + column);
      if (!pair || row === column) { tr.append(make("td", "", "none")); return; }
      const td = make("td", short(pair.ulps),
        "cell " + (pair.failed ? "failed" : "q" + rank(pair.ulps)));
      const verdict = pair.compared + " arrays compared, " + (pair.failed
        ? pair.failed + " further apart than is allowed" : "all within the tolerance");
      td.title = verdict;
      td.tabIndex = 0;
      const show = () => {
        $("body").replaceChildren(make("h3", row + " and " + column),
          make("p", verdict + ". The largest deviations:", "note"));
        const dl = make("dl");
        pair.top.forEach(([key, ulps, units]) => dl.append(
          make("dt", short(ulps) + " ulps"), make("dd", key + " (" + times(units) + ")")));
        $("body").append(dl);
        $("detail").showModal();
      };
      td.addEventListener("click", show);
      td.addEventListener("keydown", e => { if (e.key === "Enter") show(); });
      tr.append(td);
    });
    $("map").append(tr);
  });
}
for (const id of ["text", "level", "status"]) $(id).addEventListener("input", draw);
$("fold").addEventListener("click", () => {
  const all = new Set(data.checks.map(c => family(c.id)));
  const open = folded.size < all.size;
  folded.clear();
  if (open) all.forEach(f => folded.add(f));
  $("fold").textContent = open ? "unfold all" : "fold all";
  draw();
});
$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
draw();
drawMap();
follow();
</script>
</body>
</html>
"""
"""Opens from a file: everything is inside, and `__DATA__` is replaced by the results."""
