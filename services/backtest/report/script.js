"use strict";
(() => {
  const root = document.documentElement;
  const wanted = new URLSearchParams(location.hash.slice(1)).get("theme");
  const darkNow = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  if (wanted === "dark" || wanted === "light") root.dataset.theme = wanted;

  const toggle = document.createElement("button");
  toggle.className = "toggle";
  toggle.type = "button";
  const name = () => { toggle.textContent = darkNow() ? "Light" : "Dark"; toggle.setAttribute("aria-label", `Show in ${darkNow() ? "light" : "dark"} colours`); };
  toggle.addEventListener("click", () => { root.dataset.theme = darkNow() ? "light" : "dark"; name(); });
  name();
  document.body.prepend(toggle);

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });

  const part = (tag, text) => { const made = document.createElement(tag); made.textContent = text; return made; };
  const nearest = (xs, x) => {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) { const middle = (low + high) >> 1; if (xs[middle] < x) low = middle; else high = middle; }
    return Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
  };

  // All charts of one width share their time axis, so one hair runs through the lot.
  const cross = (width, x) => {
    for (const line of document.querySelectorAll(".crosshair")) line.remove();
    for (const svg of document.querySelectorAll(".chart svg")) {
      const view = svg.viewBox.baseVal;
      if (view.width !== width) continue;
      const line = document.createElementNS(svg.namespaceURI, "line");
      line.setAttribute("class", "crosshair");
      for (const [name, value] of [["x1", x], ["x2", x], ["y1", 20], ["y2", view.height - 38]]) line.setAttribute(name, value);
      svg.append(line);
    }
  };

  for (const svg of document.querySelectorAll("svg[data-hover]")) {
    const plot = JSON.parse(svg.dataset.hover);
    if (!plot.x.length) continue;
    const tip = part("div", "");
    tip.className = "tip";
    tip.hidden = true;
    svg.parentElement.append(tip);
    const hide = () => { tip.hidden = true; for (const line of document.querySelectorAll(".crosshair")) line.remove(); };
    const show = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale;
      if (x < plot.left || x > plot.right) return hide();
      const at = nearest(plot.x, x);
      cross(svg.viewBox.baseVal.width, plot.x[at]);
      const rows = plot.series.map((series) => {
        const row = part("span", "");
        const label = part("i", series.name);
        label.style.cssText = `font-style:normal;color:var(--c${series.style % 8})`;
        row.append(label, part("span", series.text[at]));
        return row;
      });
      tip.replaceChildren(part("b", plot.heads[at]), ...rows);
      tip.hidden = false;
      const left = plot.x[at] / scale;
      tip.style.left = `${left + 14 + tip.offsetWidth > box.width ? Math.max(0, left - 14 - tip.offsetWidth) : left + 14}px`;
      tip.style.top = `${plot.top / scale + 6}px`;
    };
    svg.addEventListener("pointermove", show);
    svg.addEventListener("pointerdown", show);
    svg.addEventListener("pointerleave", hide);
  }
})();
