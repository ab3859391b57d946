"""A table that can be searched: plain HTML, a dozen lines of script, nothing from elsewhere."""

from __future__ import annotations

from html import escape

import pandas as pd

_PAGE = """<div class="designs">
<p><label for="designs-search">Search designs</label>
<input id="designs-search" type="search" placeholder="swin, pooling, layer ..."
  autocomplete="off">
<span id="designs-count" role="status">{count}</span></p>
<div tabindex="0" role="region" aria-label="All measured designs"
  style="max-height: 32rem; overflow: auto">
<table id="designs-table" class="dataframe table">
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody></table></div>
<script>
(() => {{
  const rows = [...document.querySelectorAll("#designs-table tbody tr")];
  const count = document.getElementById("designs-count");
  document.getElementById("designs-search").addEventListener("input", event => {{
    const words = event.target.value.toLowerCase().split(/\\s+/).filter(Boolean);
    for (const row of rows) {{
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
    }}
    const shown = rows.filter(row => !row.hidden).length;
    count.textContent = `${{shown}} of ${{rows.length}} designs`;
  }});
}})();
</script>
</div>"""


def searchable(designs: pd.DataFrame) -> str:
    """All designs as an HTML table with a field that keeps the rows holding all words typed.

    Args:
        designs: what ``read.table`` gives, in the order the rows are to have.
    """
    columns = _columns(designs)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "\n".join(_row(cells) for cells in columns.itertuples(index=False, name=None))
    return _PAGE.format(count=f"{len(columns)} of {len(columns)} designs", head=head, body=body)


def _columns(designs: pd.DataFrame) -> pd.DataFrame:
    """The columns that are shown, as text."""
    names = [f"{name} ({paper})" if paper else name for name, paper in designs["paper"].items()]
    return pd.DataFrame(
        {
            "design": names,
            "mixing": designs["family"].to_numpy(),
            "lineage": designs["lineage"].to_numpy(),
            "SS_rate": designs["ss_rate"].map("{:.3f}".format).to_numpy(),
            "printed": designs["printed"].map("{:.3f}".format).to_numpy(),
            "scale-free": designs["scale_free"].map("{:.3f}".format).to_numpy(),
            "directions": designs["directions"].map("{:.1f}".format).to_numpy(),
            "modules": designs["depth"].map("{:.0f}".format).to_numpy(),
            "mean D": designs["width"].map("{:.0f}".format).to_numpy(),
            "million parameters": designs["millions"].map("{:.1f}".format).to_numpy(),
            "normalisation": designs["normalisation"].to_numpy(),
            "mixing as said in": designs["source"].to_numpy(),
        }
    )


def _row(cells: tuple[str, ...]) -> str:
    first, *others = map(escape, cells)
    return (
        f'<tr><th scope="row">{first}</th>'
        + "".join(f"<td>{cell}</td>" for cell in others)
        + "</tr>"
    )
