"use strict";
// Figures are drawn when they come near the screen; tables are sorted and filtered. No request is made:
// Plotly lies compressed in the page, and each figure's data lie beside it.
(() => {
  const paper = { isUsed: false };
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const onDark = JSON.parse(document.getElementById("colours").textContent);
  const isDark = () => prefersDark.matches && !paper.isUsed;

  // ---- Plotly, unpacked once, when the first figure needs it
  let unpacking = null;
  function plotly() {
    unpacking ??= unpack().catch(error => { unpacking = null; throw error; });
    return unpacking;
  }
  async function unpack() {
    const packed = Uint8Array.from(
      atob(document.getElementById("plotly").textContent), letter => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    return window.Plotly;
  }

  // ---- figures
  const charts = new WeakMap();
  const chartOf = plot => {
    if (!charts.has(plot)) charts.set(plot, JSON.parse(plot.nextElementSibling.textContent));
    return charts.get(plot);
  };
  const colour = given => isDark() ? onDark[given] ?? given : given;

  function themed(value) {
    if (Array.isArray(value)) return typeof value[0] === "object" ? value.map(themed) : value;
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) =>
      [key, /color$/.test(key) ? colour(inner) : themed(inner)]));
  }

  // A title that is wider than its figure is broken into two lines.
  const LETTER = 7;  // pixels, about
  function broken(axis, room) {
    const text = axis.title.text;
    if (text.length * LETTER < room) return axis;
    const spaces = [...text.matchAll(/ /g)].map(match => match.index);
    const middle = spaces.sort((one, other) =>
      Math.abs(one - text.length / 2) - Math.abs(other - text.length / 2))[0];
    if (middle === undefined) return axis;
    return { ...axis, title: { text: `${text.slice(0, middle)}<br>${text.slice(middle + 1)}` } };
  }

  function layoutOf(chart, plot) {
    const style = getComputedStyle(document.documentElement);
    const get = name => style.getPropertyValue(name).trim();
    const common = {
      gridcolor: get("--grid"), zerolinecolor: get("--grid"), linecolor: get("--quiet"),
      exponentformat: "power", separatethousands: true, automargin: true, fixedrange: matchMedia("(pointer: coarse)").matches,
    };
    const { xaxis, yaxis, ...rest } = themed(chart.layout);
    return {
      autosize: true, margin: { l: 52, r: 14, t: 22, b: 44 }, showlegend: false, hovermode: "closest",
      dragmode: "zoom", paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12.5, color: get("--text") },
      hoverlabel: { bgcolor: get("--card"), bordercolor: get("--edge"), font: { color: get("--text") } },
      ...rest,
      xaxis: { ...common, ...broken(xaxis, plot.clientWidth - 80) },
      yaxis: { ...common, ...broken(yaxis, plot.clientHeight - 80) },
    };
  }

  const CONFIG = { displayModeBar: false, responsive: false, showTips: false };
  const resized = new ResizeObserver(entries => {
    for (const { target } of entries) if (target.dataset.drawn) window.Plotly.Plots.resize(target);
  });

  function draw(plot, Plotly) {
    const chart = chartOf(plot), isNew = !plot.dataset.drawn;
    if (isNew) plot.replaceChildren();
    Plotly.react(plot, themed(chart.data), layoutOf(chart, plot), CONFIG);
    plot.dataset.drawn = "true";
    const figure = plot.closest("figure");
    figure.querySelector(".legend")?.replaceWith(legend(chart));
    if (isNew) resized.observe(plot);
  }

  function legend(chart) {
    const list = document.createElement("ul");
    list.className = "legend";
    for (const trace of chart.data) {
      if (trace.showlegend === false) continue;
      const item = document.createElement("li");
      item.append(swatch(trace), trace.name);
      list.append(item);
    }
    return list;
  }

  const DASHES = { dash: "6 4", dot: "2 3" };
  function swatch(trace) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const part = (name, attributes) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      svg.append(element);
    };
    for (const [key, value] of [["width", 22], ["height", 12], ["aria-hidden", "true"]])
      svg.setAttribute(key, value);
    if (trace.mode.includes("lines"))
      part("line", { x1: 0, x2: 22, y1: 6, y2: 6, stroke: colour(trace.line.color), "stroke-width": 2,
        "stroke-dasharray": DASHES[trace.line.dash] ?? "none" });
    if (trace.mode.includes("markers")) {
      const fill = colour(trace.marker.color ?? trace.line.color);
      if (trace.marker.symbol === "diamond") part("path", { d: "M11 2 15 6 11 10 7 6Z", fill });
      else part("circle", { cx: 11, cy: 6, r: 3.2, fill });
    }
    return svg;
  }

  function failed(plot) {
    plot.firstElementChild.textContent =
      "This browser could not unpack the figure; its numbers are below.";
  }

  const plots = () => document.querySelectorAll(".plot");
  const waiting = [];
  let isDrawing = false;
  async function drawWaiting() {
    if (isDrawing) return;
    isDrawing = true;
    while (waiting.length) {
      const plot = waiting.shift();
      try {
        draw(plot, await plotly());
      } catch (error) {
        console.error(error);
        failed(plot);
      }
      await new Promise(requestAnimationFrame);  // so that scrolling stays smooth
    }
    isDrawing = false;
  }
  const near = new IntersectionObserver(entries => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) {
        near.unobserve(target);
        waiting.push(target);
      }
    drawWaiting();
  }, { rootMargin: "400px 0px" });
  for (const plot of plots()) near.observe(plot);

  function redraw() {
    if (window.Plotly)
      for (const plot of plots()) if (plot.dataset.drawn) draw(plot, window.Plotly);
  }
  prefersDark.addEventListener("change", redraw);

  // ---- on paper: all figures, dark on light
  addEventListener("beforeprint", () => {
    paper.isUsed = true;
    document.documentElement.classList.add("on-paper");
    if (window.Plotly) for (const plot of plots()) draw(plot, window.Plotly);
  });
  addEventListener("afterprint", () => {
    paper.isUsed = false;
    document.documentElement.classList.remove("on-paper");
    redraw();
  });
  const whenIdle = window.requestIdleCallback ?? (work => setTimeout(work, 500));
  addEventListener("load", () => whenIdle(() => plots().length && plotly().catch(() => 0)));

  // ---- the numbers of a figure as a table
  for (const details of document.querySelectorAll("details.of-figure"))
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) details.append(numbers(details));
    });

  function numbers(details) {
    const chart = chartOf(details.closest("figure").querySelector(".plot"));
    const box = document.createElement("div"), table = document.createElement("table");
    box.className = "wide numbers";
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Numbers of the figure");
    const row = (parent, cells, tag) => {
      const line = parent.insertRow();
      for (const cell of cells) {
        const element = document.createElement(tag);
        element.textContent = cell;
        if (tag === "th") element.scope = "col";
        line.append(element);
      }
    };
    row(table.createTHead(),
      ["", chart.layout.xaxis.title.text, chart.layout.yaxis.title.text, "interval"], "th");
    const body = table.createTBody();
    for (const trace of chart.data) {
      if (trace.fill) continue;
      trace.x.forEach((x, i) => {
        const y = trace.y[i], error = trace.error_y;
        const bounds = error ? `${short(y - error.arrayminus[i])} to ${short(y + error.array[i])}` : "";
        row(body, [trace.name, short(x), short(y), bounds], "td");
      });
    }
    box.append(table);
    return box;
  }
  const short = value => value === null ? "–" : Number(value.toPrecision(4)).toLocaleString("en", {
    maximumSignificantDigits: 4 });

  // ---- the table of layers: sorted by its header, filtered by text
  for (const table of document.querySelectorAll("table.layers")) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
    const keys = new Map([...body.rows].map(row =>
      [row, [...row.cells].map(cell => {
        const key = cell.dataset.sort;
        return key === undefined ? cell.textContent : key === "" ? NaN : Number(key);
      })]));
    const texts = new Map([...body.rows].map(row =>  // name and verdict
      [row, `${row.cells[0].textContent} ${row.lastElementChild.textContent}`.toLowerCase()]));
    const order = new Intl.Collator("en", { numeric: true });

    function compare(one, other) {
      if (typeof one === "string") return order.compare(one, other);
      if (isNaN(one) || isNaN(other)) return isNaN(other) - isNaN(one);
      return one - other;
    }
    function sort(column) {
      const isText = typeof keys.get(body.rows[0])[column] === "string";
      const before = heads[column].ariaSort;
      const goesUp = before ? before === "descending" : isText;
      for (const head of heads) head.removeAttribute("aria-sort");
      heads[column].ariaSort = goesUp ? "ascending" : "descending";
      const rows = [...keys.keys()].sort((one, other) => {
        const [a, b] = [keys.get(one)[column], keys.get(other)[column]];
        const isMissing = Number.isNaN(a) || Number.isNaN(b);  // last, whichever way
        return isMissing ? Number.isNaN(a) - Number.isNaN(b) : goesUp ? compare(a, b) : compare(b, a);
      });
      body.append(...rows);
    }
    heads.forEach((head, column) =>
      head.querySelector("button").addEventListener("click", () => sort(column)));

    const box = table.closest("section").querySelector(".filter");
    if (!box) continue;
    box.hidden = false;
    const input = box.querySelector("input"), status = box.querySelector("[role=status]");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of texts) {
        row.hidden = !words.every(word => text.includes(word));
        shown += !row.hidden;
      }
      status.textContent = words.length ? `${shown} of ${texts.size} layers` : "";
    });
  }
})();
