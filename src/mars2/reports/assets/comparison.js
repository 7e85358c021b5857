
// Strategies side by side: success against generations, tokens and wall time; a table; paired differences.

const AXES = [['nodes', 'generations'], ['tokens', 'tokens'], ['seconds', 'seconds']];

const COMPARISON = { who: 'team' }; // what is shown; stays when the section is drawn anew

function comparisonSection() {
  const data = RUN.comparison;
  const names = [...new Set(data.entrants.map((e) => e.strategy))];
  const color = (entrant) => `var(--c${names.indexOf(entrant.strategy) % 8})`;
  const teams = data.entrants.filter((e) => e.who === 'team');
  const whos = [...new Set(data.entrants.map((e) => e.who))];
  const grid = h('div', { class: 'charts' });
  const tabs = h('div', { class: 'tabs' }, whos.map((who) => h('button', {
    type: 'button', click: () => { COMPARISON.who = who; draw(); },
  }, who)));
  function draw() {
    whos.forEach((who, i) => tabs.children[i].setAttribute('aria-pressed', who === COMPARISON.who));
    const shown = data.entrants.filter((e) => e.who === COMPARISON.who);
    grid.replaceChildren(...AXES.map(([key, title]) => successChart(key, title, shown, color)));
  }
  draw();
  const sample = (dash) => svg('svg', { width: 22, height: 10, 'aria-hidden': true },
    svg('line', { x1: 0, x2: 22, y1: 5, y2: 5, stroke: 'var(--ink)', 'stroke-width': 2, 'stroke-dasharray': dash }));
  const legend = h('div', { class: 'legend' },
    teams.map((e) => h('span', { class: 'agent' }, svg('svg', { width: 12, height: 10, 'aria-hidden': true },
      svg('rect', { y: 1, width: 9, height: 9, rx: 2, fill: color(e) })), e.strategy)),
    h('span', { class: 'agent' }, sample(''), 'chosen program right'),
    h('span', { class: 'agent' }, sample('3 3'), 'any program right'));
  const facts = [`${number(data.n_problems)} problems`, data.n_seeds > 1 ? `${data.n_seeds} seeds` : '', `${data.budget} nodes per tree`,
    '95% bootstrap intervals over problems'].filter(Boolean).join(' · ');
  return section('Strategies', h('p', { class: 'note' }, facts),
    h('div', { class: 'comparison' }, whos.length > 1 && tabs, legend, grid,
      comparisonTable(data, color), firstAttempts(data), differenceTable(data)));
}

function successChart(key, title, entrants, color) {
  const points = entrants.flatMap((e) => e.points);
  const place = (p) => Math.log2(Math.max(p[key], 1e-3));
  const xs = extent(points.map(place));
  const ys = [0, Math.max(0.02, ...points.map((p) => p.any.value), ...points.map((p) => p.chosen.ci[1])) * 1.05];
  const sx = (x) => LEFT + (xs[1] > xs[0] ? (x - xs[0]) / (xs[1] - xs[0]) : 0.5) * (W - LEFT - RIGHT - 8) + 4;
  const sy = (y) => H - BOTTOM - (y - ys[0]) / (ys[1] - ys[0]) * (H - TOP - BOTTOM);
  const path = (e, which) => e.points.map((p, i) => `${i ? 'L' : 'M'}${sx(place(p)).toFixed(1)} ${sy(p[which].value).toFixed(1)}`).join('');
  const shown = key === 'nodes' ? [...new Set(points.map((p) => p.nodes))] : doublings(points.map((p) => p[key]));
  const drawing = svg('svg', { viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': `Success against ${title}` },
    ticks(ys, 4).map(([v]) => [svg('line', { class: 'grid', x1: LEFT, x2: W - RIGHT, y1: sy(v), y2: sy(v) }),
      svg('text', { class: 'axis', x: LEFT - 6, y: sy(v) + 3.5, 'text-anchor': 'end' }, `${+(100 * v).toFixed(1)}%`)]),
    shown.map((v) => svg('text', { class: 'axis', x: sx(Math.log2(v)), y: H - 6, 'text-anchor': 'middle' }, tickText(v, v))),
    entrants.map((e) => [
      svg('path', { d: path(e, 'any'), stroke: color(e), 'stroke-dasharray': '3 3', opacity: 0.7 }),
      svg('path', { d: path(e, 'chosen'), stroke: color(e) }),
      e.points.map((p) => [
        svg('line', { x1: sx(place(p)), x2: sx(place(p)), y1: sy(p.chosen.ci[0]), y2: sy(p.chosen.ci[1]), stroke: color(e), opacity: 0.3 }),
        svg('circle', { cx: sx(place(p)), cy: sy(p.chosen.value), r: 2.6, fill: color(e) },
          svg('title', null, `${e.strategy}, ${p.nodes} nodes: chosen ${percent(p.chosen.value)}, any ${percent(p.any.value)}; ${number(Math.round(p.tokens))} tokens, ${number(p.seconds)} s`)),
      ]),
    ]));
  return h('figure', null, h('div', { class: 'title' }, h('b', null, `Success against ${title}`)), drawing);
}

// At most about six round powers of two (for large spans of four, …) within the values.
function doublings(values) {
  const [low, high] = extent(values.filter((v) => v > 0).map((v) => Math.log2(v)));
  const step = Math.max(1, Math.ceil((high - low) / 5));
  const found = [];
  for (let k = Math.ceil(low); k <= high; k += step) found.push(2 ** k);
  return found.length ? found : [2 ** low];
}

function percent(value) {
  return `${(100 * value).toFixed(1)}%`;
}

function percentCell(cell) {
  if (!cell) return '–';
  return [h('span', { class: 'value' }, (100 * cell.value).toFixed(1)),
    h('span', { class: 'ci' }, `${(100 * cell.ci[0]).toFixed(1)} – ${(100 * cell.ci[1]).toFixed(1)}`)];
}

function comparisonTable(data, color) {
  const titles = ['Pass@1', 'Pass@1(MCTS)', 'Pass@N', 'gap', 'nodes', 'tokens in', 'tokens out', 'seconds', 'failed calls', 'given up'];
  const scores = ['pass_at_1', 'pass_at_1_mcts', 'pass_at_n', 'gap'];
  const costs = ['num_nodes', 'prompt_tokens', 'output_tokens', 'seconds', 'failed_calls', 'cancelled'];
  let previous = null;
  const rows = data.entrants.map((e) => {
    const first = e.strategy !== previous;
    previous = e.strategy;
    return h('tr', { class: first ? 'first-of-group' : '' },
      h('td', null, first && h('b', { color: color(e) }, e.strategy)), h('td', null, e.who),
      scores.map((name) => h('td', null, percentCell(e.cells[name]))),
      costs.map((name) => h('td', null, number(+e.cells[name].value.toPrecision(3)))));
  });
  return h('table', { class: 'results' },
    h('thead', null, h('tr', null, h('th', null, 'percent; costs are means per tree'), h('th', null, 'agents'), titles.map((t) => h('th', null, t)))),
    h('tbody', null, rows));
}

function signedPercent(cell) {
  const looks = cell.gain_ci[0] > 0 ? 'clear-gain' : cell.gain_ci[1] < 0 ? 'clear-loss' : '';
  const sign = (v) => `${v < 0 ? '−' : '+'}${Math.abs(100 * v).toFixed(1)}`;
  return [h('span', { class: looks }, sign(cell.gain)), h('span', { class: 'ci' }, `${sign(cell.gain_ci[0])} – ${sign(cell.gain_ci[1])}`)];
}

function differenceTable(data) {
  if (!data.differences.length) return null;
  const title = (d) => (d.first[0] === d.second[0] ? `${d.first[0]}: ${d.first[1]} − ${d.second[1]}`
    : `${d.first[0]} − ${d.second[0]}${d.first[1] === 'team' ? '' : ` (${d.first[1]})`}`);
  return h('table', { class: 'results' },
    h('thead', null, h('tr', null, h('th', null, 'difference, paired by problem'), h('th', null, 'chosen right'), h('th', null, 'any right'))),
    h('tbody', null, data.differences.map((d) => h('tr', { class: 'first-of-group' },
      h('td', null, title(d)), h('td', null, signedPercent(d.chosen)), h('td', null, signedPercent(d.any))))));
}

function firstAttempts(data) {
  return h('p', { class: 'note' }, 'Pass@1 of first attempts (best-of-n trees): ',
    data.first_attempts.map((f, i) => [i ? ' · ' : '', `${f.agent || 'all agents'} `, percentCell(f.cell)[0], ' ', percentCell(f.cell)[1]]));
}
