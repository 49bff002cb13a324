"""The tearsheet's style sheet: colours by role, light and dark."""

from __future__ import annotations

_LIGHT = """--page:#f6f6f4;--card:#fff;--ink:#1b1c1e;--soft:#62666d;--rule:#e2e2de;--grid:#ecece8;
--zero:#a9acb2;--calibrated:#2a6fdb;--optimistic:#178a5b;--pessimistic:#c8611a;--fourth:#8a4fc4;
--fifth:#b03a78;--sixth:#6d7278;--second:#8c9199;--mid:#8c9199;--buy:#2a6fdb;--sell:#c8611a;
--loss:#c23b3b;--banner:#fdf3d8;--banner-ink:#5d4708;"""
_DARK = """--page:#131416;--card:#1c1e21;--ink:#e9eaec;--soft:#9ba0a8;--rule:#303338;--grid:#282b2f;
--zero:#5c6169;--calibrated:#6aa5ff;--optimistic:#4cc38a;--pessimistic:#f0945a;--fourth:#b892ec;
--fifth:#e681b1;--sixth:#a3a8af;--second:#7d838c;--mid:#7d838c;--buy:#6aa5ff;--sell:#f0945a;
--loss:#f07878;--banner:#3a3115;--banner-ink:#f3dc9b;"""
_COLOURED = ("calibrated", "optimistic", "pessimistic", "fourth", "fifth", "sixth", "second", "mid",
             "buy", "sell", "loss")
_RULES = """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:960px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;margin:0;letter-spacing:-.01em}
h2{font-size:19px;margin:36px 0 10px}
h3{font-size:14px;margin:0;font-weight:600}
p{margin:8px 0;color:var(--soft)}
.sub{font-size:15px;margin:2px 0 12px}
.banner{background:var(--banner);color:var(--banner-ink);padding:8px 12px;border-radius:6px;
font-weight:600;margin:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:12px;
margin-top:16px}
.tile,figure,.scroll,details{background:var(--card);border:1px solid var(--rule);
border-radius:8px}
.tile{padding:12px 14px;display:flex;flex-direction:column}
.tile b{font-size:13px;font-weight:500;color:var(--soft)}
.tile strong{font-size:24px;line-height:1.3;font-weight:600}
.tile span{font-size:12.5px;color:var(--soft)}
figure{margin:0 0 14px;padding:14px 16px 8px}
figure p{font-size:13px;margin:2px 0 6px}
figcaption{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline;margin-bottom:6px}
figcaption h3{margin-right:auto}
figure .scroll{border:0;margin:0 -6px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(380px,1fr));gap:14px}
.pair figure{margin:0}
.below{margin-top:14px}
.keys{display:flex;flex-wrap:wrap;gap:2px 14px}
.key{font-size:13px;color:var(--soft);white-space:nowrap}
.key i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px;
background:var(--c)}
svg{display:block;width:100%;height:auto}
svg text{font-size:12px;fill:var(--soft);font-variant-numeric:tabular-nums}
.grid{stroke:var(--grid)}
.zero{stroke:var(--zero)}
.line{fill:none;stroke:var(--c);stroke-width:1.7;stroke-linejoin:round}
.line.mid{stroke-width:1.2}
.diagonal{stroke:var(--zero);stroke-dasharray:4 4;stroke-width:1.2}
.area{fill:var(--c);opacity:.16}
.dots{fill:var(--c);opacity:.75}
.bar{fill:var(--c)}
.error{stroke:var(--ink);stroke-width:1.2;opacity:.65}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:5px 12px;text-align:left;vertical-align:top;border-top:1px solid var(--grid)}
thead th,thead+tbody tr:first-child>*{border-top:0}
thead th{color:var(--soft);border-bottom:1px solid var(--rule);font-weight:600}
tbody tr:first-child>*{border-top:0}
tbody th{font-weight:500;color:var(--soft)}
.figures td,.figures thead th:not(:first-child){text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}
.words tbody th{width:190px}
details{padding:10px 14px;margin-top:14px}
details .scroll{border:0;margin:8px -14px 0}
summary{cursor:pointer;font-weight:600}
@media (max-width:520px){.pair{grid-template-columns:1fr}main{padding:18px 12px 40px}
svg[viewBox^="0 0 860"] text{font-size:19px}}
@media print{body{background:#fff}figure,.tile,tr{break-inside:avoid}main{max-width:none}}
"""

STYLE = ("\n:root{color-scheme:light dark;" + _LIGHT + "}\n"
         "@media (prefers-color-scheme:dark){:root{" + _DARK + "}}\n"
         + "".join(f".{name}{{--c:var(--{name})}}" for name in _COLOURED) + _RULES)
