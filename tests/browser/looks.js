// What a machine can see of a page: overflow, overlapping texts, texts cut without a title, weak contrast, thin targets.
() => {
  const visible = (node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && node.getClientRects().length > 0;
  const told = (node) => `${node.tagName.toLowerCase()}.${node.getAttribute("class") || ""} ${(node.textContent || "").trim().slice(0, 40)}`;
  const scrolls = (node) => { for (let at = node.parentElement; at; at = at.parentElement) { if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(at).overflowX)) return true; } return false; };
  const width = document.documentElement.clientWidth;
  const everything = [...document.body.querySelectorAll("*")].filter(visible);

  const overflow = document.documentElement.scrollWidth > width ? [`page is ${document.documentElement.scrollWidth} wide`] : [];
  for (const node of everything) {
    const box = node.getBoundingClientRect();
    if (box.width > 2 && (box.right > width + 1 || box.left < -1) && !scrolls(node) && !node.closest(".skip, .sr, thead")) overflow.push(told(node));
  }

  const overlaps = [];
  for (const svg of document.querySelectorAll(".graph svg")) {
    if (!visible(svg)) continue;
    const texts = [...svg.querySelectorAll("text")].map((node) => [node, node.getBoundingClientRect()]);
    texts.forEach(([a, ra], index) => {
      for (const [b, rb] of texts.slice(index + 1)) {
        if (ra.left < rb.right - 1 && rb.left < ra.right - 1 && ra.top < rb.bottom - 2 && rb.top < ra.bottom - 2) overlaps.push(`${a.textContent} / ${b.textContent}`);
      }
      const frame = a.closest("a").querySelector("rect").getBoundingClientRect();
      if (ra.right > frame.right - 2 || ra.bottom > frame.bottom) overlaps.push(`${a.textContent} leaves its box`);
    });
    const boxes = [...svg.querySelectorAll("rect")].map((node) => node.getBoundingClientRect());
    boxes.forEach((ra, index) => boxes.slice(index + 1).forEach((rb) => {
      if (ra.left < rb.right && rb.left < ra.right && ra.top < rb.bottom && rb.top < ra.bottom) overlaps.push("two boxes");
    }));
  }

  const cut = everything.filter((node) => {
    const style = getComputedStyle(node);
    return style.textOverflow === "ellipsis" && node.scrollWidth > node.clientWidth + 1 && !node.closest("[title]") && ![...node.querySelectorAll("[title]")].length;
  }).map(told);

  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => { if (colour === "none") return [0, 0, 0, 0]; paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); return [...paint.getImageData(0, 0, 1, 1).data]; };
  const over = (top, below) => { const a = top[3] / 255; return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)).concat(255); };
  const ground = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 255] : [255, 255, 255, 255];
    return layers.reverse().reduce((below, top) => over(top, below), canvas);
  };
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
  const contrast = [];
  for (const node of everything) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || node.closest("option, .sr, .skip, thead")) continue;
    const svg = node.closest("svg"), style = getComputedStyle(node);
    const back = svg ? over(rgba(getComputedStyle(node.closest("a").querySelector("rect")).fill), ground(svg)) : ground(node);
    const ink = over(rgba(svg ? style.fill : style.color), back);
    const [a, b] = [light(ink), light(back)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) contrast.push(`${ratio.toFixed(2)} ${told(node)}`);
  }

  const thin = [...document.querySelectorAll("button, input, summary, .tabs a, .views a, nav a")].filter(visible)
    .filter((node) => { const box = node.getBoundingClientRect(); return box.height < 19.5 || box.width < 16; }).map(told);
  const styled = [...document.querySelectorAll("[style]")].filter((node) => !node.closest("html > head")).map(told);
  return { overflow, overlaps, cut, contrast, thin, styled };
}
