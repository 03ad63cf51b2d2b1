"""Scripts that find faults in the page that is open; each returns a list of them."""

# Text below 4.5:1 on the nearest background that is painted; without visually hidden text, disabled controls and graphics.
LOW_CONTRAST = """
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  for (const node of document.body.querySelectorAll("*")) {
    if (![...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    if (!node.checkVisibility() || node.closest(".hidden-visually, :disabled, .skip, option, noscript, canvas")) continue;
    const style = getComputedStyle(node);
    let back = node.closest(".name")?.previousSibling ?? node;
    while (back && (rgb(getComputedStyle(back).backgroundColor)[3] ?? 1) < 1) back = back.parentElement;
    const [a, b] = [light(rgb(style.color)), light(rgb(getComputedStyle(back ?? document.body).backgroundColor))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.tagName} ${node.textContent.slice(0, 40)}`);
  }
  return found;
"""

OUTLINE_FAULTS = """
  const faults = [];
  const one = (selector) => document.querySelectorAll(selector).length === 1 || faults.push(`not one ${selector}`);
  ["html[lang]", "main", "h1", "header nav a[aria-current=page]"].forEach(one);
  if (!document.querySelector(".skip")) faults.push("no skip link");
  let last = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    if (!heading.checkVisibility()) continue;
    const level = Number(heading.tagName[1]);
    if (level > last + 1) faults.push(`${heading.tagName} after H${last}: ${heading.textContent}`);
    last = level;
  }
  for (const control of document.querySelectorAll("button, input, select, a")) {
    const name = control.textContent.trim() || control.ariaLabel || control.labels?.length || control.querySelector("img[alt]:not([alt=''])");
    if (!name && control.checkVisibility()) faults.push(`no name: ${control.outerHTML}`);
  }
  for (const table of document.querySelectorAll("table")) if (!table.caption) faults.push("a table without caption");
  return faults;
"""

# What a finger has to hit, below 44 by 44 pixels. A link within a sentence is as high as its line.
SMALL_TARGETS = """
  const found = [];
  for (const control of document.querySelectorAll("a, button, input, select, summary")) {
    if (!control.checkVisibility() || control.closest(".skip, .hidden-visually")) continue;
    const isInText = control.tagName === "A" && [...control.parentElement.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (isInText) continue;
    const areas = [control, ...(control.labels ?? [])].map((area) => area.getBoundingClientRect());
    const [width, height] = ["width", "height"].map((side) => Math.max(...areas.map((area) => area[side])));
    if (width < 44 || height < 44) found.push(`${Math.round(width)}x${Math.round(height)} ${control.outerHTML.slice(0, 80)}`);
  }
  return found;
"""

# Lines of graphics that carry a meaning, below 3:1 on the card that they are drawn on.
FAINT_GRAPHICS = """
  const parse = (hex) => hex.trim().match(/[0-9a-f]{2}/gi).map((c) => parseInt(c, 16) / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const style = getComputedStyle(document.documentElement);
  const ratio = (a, b) => { const [x, y] = [a, b].map((n) => parse(style.getPropertyValue(n))); return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
  return [["--chart-views", "--surface"], ["--chart-edge", "--surface"], ["--chart-views", "--chart-hits"], ["--accent", "--sunken"],
    ["--quiet", "--surface"]].filter(([a, b]) => ratio(a, b) < 3).map((pair) => `${pair} ${ratio(...pair).toFixed(2)}`);
"""

# Where the focus is: a description, the place in the document, whether it is painted, and whether it is in the window.
FOCUSED = """
  const node = document.activeElement;
  if (node === document.body) return null;
  const shows = (n) => n && getComputedStyle(n).outlineStyle !== "none" && parseFloat(getComputedStyle(n).outlineWidth) >= 2;
  const area = node.getBoundingClientRect();
  return {what: node.outerHTML.slice(0, 80), at: [...document.querySelectorAll("*")].indexOf(node),
    painted: Boolean(shows(node) || (node.matches(".segments input") && shows(node.nextElementSibling))),
    seen: area.bottom > 0 && area.top < innerHeight && area.width > 0};
"""
