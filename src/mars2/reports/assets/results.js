
// The before → after table, each row with its intervals drawn on one scale.

function resultsSection() {
  const table = RUN.evaluation;
  if (!table) return section('Results', h('p', { class: 'note' }, 'Not evaluated yet.'));
  const two = table.labels.length === 2;
  const facts = [
    table.n_problems ? `${number(table.n_problems)} problems` : '',
    table.budget ? `${table.budget} nodes per tree` : '',
    '95% bootstrap intervals over problems',
    two ? 'gains are paired' : '',
    table.others.length ? `also evaluated: ${table.others.join(', ')}` : '',
  ].filter(Boolean);
  const head = h('tr', null,
    h('th', null, ''), h('th', null, ''), table.labels.map((label) => h('th', null, label)),
    two && h('th', null, 'gain'), h('th', { class: 'plot' }, scaleAxis()));
  let previous = null;
  const rows = table.rows.map((row) => {
    const first = row.who !== previous;
    previous = row.who;
    return h('tr', { class: first ? 'first-of-group' : '' },
      h('td', null, first ? (row.who ? agentLabel(row.who) : h('b', null, 'team')) : ''),
      h('td', null, row.measure),
      h('td', null, estimate(row.before)),
      two && h('td', null, estimate(row.after)),
      two && h('td', null, gain(row)),
      h('td', { class: 'plot' }, intervals(row)));
  });
  return section('Results', h('p', { class: 'note' }, facts.join(' · ')),
    h('table', { class: 'results' }, h('thead', null, head), h('tbody', null, rows)));
}

function estimate(cell) {
  if (!cell) return '–';
  return [h('span', { class: 'value' }, cell.value.toFixed(3)), cell.ci && h('span', { class: 'ci' }, range(cell.ci))];
}

function range(ci) {
  return `${ci[0].toFixed(3).replace('-', '−')} – ${ci[1].toFixed(3).replace('-', '−')}`;
}

function gain(row) {
  if (row.gain === null) return '–';
  const looks = !row.gain_ci ? '' : row.gain_ci[0] > 0 ? 'clear-gain' : row.gain_ci[1] < 0 ? 'clear-loss' : '';
  return [h('span', { class: looks }, (row.gain < 0 ? '−' : '+') + Math.abs(row.gain).toFixed(3)),
    row.gain_ci && h('span', { class: 'ci' }, range(row.gain_ci))];
}

const SCALE_WIDTH = 300;
const onScale = (value) => 8 + value * (SCALE_WIDTH - 16);

function scaleAxis() {
  return svg('svg', { width: SCALE_WIDTH, height: 14, 'aria-hidden': true },
    [0, 0.25, 0.5, 0.75, 1].map((v) => svg('text', {
      x: onScale(v), y: 11, 'text-anchor': v === 0 ? 'start' : v === 1 ? 'end' : 'middle', 'font-size': 11, fill: 'var(--muted)',
    }, v)));
}

function intervals(row) {
  const color = row.who ? colorOf('agent', row.who) : 'var(--ink)';
  const lines = [0, 0.25, 0.5, 0.75, 1].map((v) => svg('line', { x1: onScale(v), x2: onScale(v), y1: 0, y2: 30, stroke: 'var(--hair)' }));
  const mark = (cell, y, filled) => cell && [
    cell.ci && svg('line', { x1: onScale(cell.ci[0]), x2: onScale(cell.ci[1]), y1: y, y2: y, stroke: color, 'stroke-width': filled ? 2.5 : 1.5, opacity: filled ? 0.75 : 0.55 }),
    svg('circle', { cx: onScale(cell.value), cy: y, r: 4, stroke: color, 'stroke-width': 1.6, fill: filled ? color : 'var(--page)' }),
  ];
  const both = row.before && row.after;
  return svg('svg', { width: SCALE_WIDTH, height: 30, 'aria-hidden': true }, lines,
    mark(row.before, both ? 9 : 15, !both && !row.after), mark(row.after, both ? 21 : 15, true));
}
