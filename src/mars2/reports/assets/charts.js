
// Learning curves: one small chart per number, one line per agent or policy; hovering one reads off all.

const W = 300, H = 150, LEFT = 44, RIGHT = 6, TOP = 8, BOTTOM = 20;
const GROUP_TITLES = { agent: 'Agents', policy: 'Policies', run: 'Run' };

function chartsSection() {
  const kinds = RUN.curves.map((group) => group.kind);
  if (!kinds.length) return section('Learning', h('p', { class: 'note' }, 'Nothing was logged: this run has not trained (yet).'));
  const longest = Math.max(...RUN.curves.flatMap((g) => g.charts).flatMap((c) => c.lines).map((l) => l.points.length));
  const options = { kind: kinds[0], byTime: false, smooth: longest > 30 };
  let readingAt = null;
  const grid = h('div', { class: 'charts' }), legend = h('div', { class: 'legend' });
  const tabs = h('div', { class: 'tabs' }, kinds.map((kind) => h('button', {
    type: 'button', click: () => { options.kind = kind; draw(); },
  }, GROUP_TITLES[kind] || kind)));
  const checkbox = (name, text) => h('label', null, h('input', {
    type: 'checkbox', checked: options[name], change: (event) => { options[name] = event.target.checked; draw(); },
  }), text);

  function readAt(x) {
    readingAt = x;
    for (const figure of grid.children) figure.readAt(x);
  }

  function draw() {
    const { charts } = RUN.curves.find((group) => group.kind === options.kind);
    kinds.forEach((kind, i) => tabs.children[i].setAttribute('aria-pressed', kind === options.kind));
    const owners = [...new Set(charts.flatMap((chart) => chart.lines.map((line) => line.owner)))];
    legend.replaceChildren(...owners.filter(Boolean).map((owner) => lineSample(options.kind, owner)));
    patch(grid, charts.map((chart) => [chart.name, JSON.stringify([chart, options]), () => lineChart(chart, options, readAt)]));
    readAt(readingAt);
  }
  draw();
  const element = section('Learning', tabs,
    h('div', { class: 'section-head' }, legend, h('div', { class: 'options push' }, checkbox('smooth', 'smooth'), checkbox('byTime', 'against minutes'))), grid);
  element.update = draw;
  return element;
}

function lineSample(kind, owner) {
  const line = svg('line', { x1: 0, x2: 22, y1: 5, y2: 5, stroke: colorOf(kind, owner), 'stroke-width': 2, 'stroke-dasharray': dashOf(kind, owner) });
  return h('span', { class: 'agent' }, svg('svg', { width: 22, height: 10, 'aria-hidden': true }, line), owner);
}

function lineChart(chart, options, onHover) {
  const { kind } = options;
  const lines = chart.lines.map((line) => {
    const raw = line.points.filter((p) => p[2] !== null).map((p) => ({ x: options.byTime ? p[1] / 60 : p[0], y: p[2] }));
    return { owner: line.owner, raw, shown: options.smooth ? smoothed(raw) : raw };
  });
  const all = lines.flatMap((line) => line.raw);
  const xs = extent(all.map((p) => p.x)), ys = valueRange(all.map((p) => p.y));
  const sx = (x) => LEFT + (xs[1] > xs[0] ? (x - xs[0]) / (xs[1] - xs[0]) : 0.5) * (W - LEFT - RIGHT);
  const sy = (y) => H - BOTTOM - (y - ys[0]) / (ys[1] - ys[0]) * (H - TOP - BOTTOM);
  const path = (points) => points.map((p, i) => `${i ? 'L' : 'M'}${sx(p.x).toFixed(1)} ${sy(p.y).toFixed(1)}`).join('');
  const yTicks = ticks(ys, 4), xTicks = ticks(xs, 4, options.byTime ? 0 : 1);
  const cursor = svg('line', { class: 'cursor', y1: TOP, y2: H - BOTTOM, visibility: 'hidden' });
  const drawing = svg('svg', {
    viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': `${chart.title} over ${options.byTime ? 'minutes' : 'steps'}`,
    pointermove: (event) => {
      const box = drawing.getBoundingClientRect();
      const inside = ((event.clientX - box.left) / box.width * W - LEFT) / (W - LEFT - RIGHT);
      onHover(xs[0] + Math.min(1, Math.max(0, inside)) * (xs[1] - xs[0]));
    },
    pointerleave: () => onHover(null),
  },
  yTicks.map(([v, text]) => [svg('line', { class: 'grid', x1: LEFT, x2: W - RIGHT, y1: sy(v), y2: sy(v) }),
    svg('text', { class: 'axis', x: LEFT - 6, y: sy(v) + 3.5, 'text-anchor': 'end' }, text)]),
  xTicks.map(([v, text]) => svg('text', { class: 'axis', x: sx(v), y: H - 6, 'text-anchor': 'middle' }, text)),
  cursor,
  lines.map((line) => {
    const looks = { stroke: colorOf(kind, line.owner) };
    if (line.raw.length === 1) return svg('circle', { cx: sx(line.raw[0].x), cy: sy(line.raw[0].y), r: 3, fill: looks.stroke });
    return [options.smooth && svg('path', { class: 'raw', d: path(line.raw), ...looks }),
      svg('path', { d: path(line.shown), 'stroke-dasharray': dashOf(kind, line.owner), ...looks })];
  }));
  const dots = lines.map((line) => svg('circle', { r: 3, fill: colorOf(kind, line.owner), visibility: 'hidden' }));
  drawing.append(...dots);
  const readout = h('span', { class: 'readout' });
  const figure = h('figure', { title: chart.meaning || null },
    h('div', { class: 'title' }, h('b', null, chart.title), readout), drawing);

  function readAt(x) {
    const found = lines.map((line) => (x === null ? line.raw[line.raw.length - 1] : nearest(line.raw, x)));
    const at = x === null ? null : found.find(Boolean);
    cursor.setAttribute('visibility', at ? 'visible' : 'hidden');
    if (at) { cursor.setAttribute('x1', sx(at.x)); cursor.setAttribute('x2', sx(at.x)); }
    dots.forEach((dot, i) => {
      dot.setAttribute('visibility', at && found[i] ? 'visible' : 'hidden');
      if (at && found[i]) { dot.setAttribute('cx', sx(found[i].x)); dot.setAttribute('cy', sy(found[i].y)); }
    });
    readout.replaceChildren(
      ...(at ? [h('span', { class: 'at' }, options.byTime ? `${at.x.toFixed(1)} min` : `step ${at.x}`)] : []),
      ...lines.map((line, i) => h('span', { color: colorOf(kind, line.owner), title: line.owner || null }, number(found[i] ? found[i].y : null))));
  }
  figure.readAt = readAt;
  return figure;
}

// Mean of neighbours on both sides (about 1/24 of the curve each way), nearer ones counting more: no lag.
function smoothed(points) {
  const reach = Math.max(2, Math.round(points.length / 24));
  return points.map((p, i) => {
    let sum = 0, total = 0;
    for (let k = -Math.min(reach, i); k <= Math.min(reach, points.length - 1 - i); k++) {
      const weight = reach + 1 - Math.abs(k);
      sum += weight * points[i + k].y;
      total += weight;
    }
    return { x: p.x, y: sum / total };
  });
}

function nearest(points, x) {
  return points.reduce((best, p) => (!best || Math.abs(p.x - x) < Math.abs(best.x - x) ? p : best), undefined);
}

function extent(values) {
  return values.length ? [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))] : [0, 1];
}

function valueRange(values) {
  let [low, high] = extent(values);
  if (low >= 0 && low < 0.5 * high) low = 0;
  const pad = (high - low || Math.abs(high) || 1) * 0.06;
  return [low === 0 ? 0 : low - pad, high + pad];
}

// Round values within a range, at least `finest` apart, as [value, text].
function ticks([low, high], count, finest = 0) {
  const rough = Math.max((high - low) / count, finest);
  if (!(high > low)) return [[low, number(low)]];
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * unit).find((s) => s >= rough * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; k++) found.push([k * step, tickText(k * step, step)]);
  return found;
}

function tickText(value, step) {
  const size = Math.abs(value);
  if (size >= 1e4) return `${+(value / 1000).toPrecision(4)}k`;
  if (size > 0 && step < 1e-4) return value.toExponential(step < size / 9 ? 1 : 0);
  return String(+value.toFixed(Math.max(0, 1 - Math.floor(Math.log10(step))))).replace('-', '−');
}
