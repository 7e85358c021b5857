
// One tree as SVG: columns by leaf, rows by depth. Filled: passes every test. Outline: does not; the number is its score.

const STEP_Y = 76, RADIUS = 15;

function layout(tree) {
  const children = new Map([[null, []]]);
  tree.nodes.forEach((node) => children.set(node.id, []));
  tree.nodes.forEach((node) => children.get(node.parent).push(node.id));
  const x = new Map();
  let leaves = 0;
  // Children have higher ids than their parents, so walking ids backwards sees every child before its parent; leaves
  // must still be numbered from left to right, hence the explicit depth-first order.
  const order = [], stack = [null];
  while (stack.length) {
    const id = stack.pop();
    order.push(id);
    stack.push(...children.get(id).slice().reverse());
  }
  order.forEach((id) => { if (!children.get(id).length) x.set(id, leaves++); });
  order.reverse().forEach((id) => {
    const below = children.get(id);
    if (below.length) x.set(id, (x.get(below[0]) + x.get(below[below.length - 1])) / 2);
  });
  return { children, x, leaves: Math.max(1, leaves), depth: Math.max(0, ...tree.nodes.map((n) => n.depth)) };
}

function pathTo(tree, id) {
  const ids = new Set();
  for (let at = id; at !== null && at !== undefined; at = tree.nodes[at].parent) ids.add(at);
  return ids;
}

function drawTree(tree, selected, onSelect) {
  const { children, x, leaves, depth } = layout(tree);
  const stepX = leaves > 15 ? 40 : 60;
  const width = (leaves + 1) * stepX, height = depth * STEP_Y + 74;
  const at = (id) => [(x.get(id) + 1) * stepX, 26 + (id === null ? 0 : tree.nodes[id].depth) * STEP_Y];
  const onPath = pathTo(tree, selected);
  const edge = (node) => {
    const [x0, y0] = at(node.parent), [x1, y1] = at(node.id), middle = (y0 + y1) / 2;
    return svg('path', { class: `edge${onPath.has(node.id) ? ' on-path' : ''}`, d: `M${x0} ${y0}C${x0} ${middle} ${x1} ${middle} ${x1} ${y1}` });
  };
  const mark = (node) => {
    const [cx, cy] = at(node.id), color = colorOf('agent', node.agent);
    const credit = node.credit.advantage;
    return svg('g', {
      class: `node${node.id === selected ? ' selected' : ''}`, transform: `translate(${cx} ${cy})`, tabindex: 0, role: 'button',
      'data-node': node.id, 'aria-label': `node ${node.id}, ${node.agent}, ${node.correct ? 'passes' : `score ${number(node.score)}`}`,
      click: () => onSelect(node.id), keydown: (event) => moveFocus(event, node, children, tree, onSelect),
    },
    svg('title', null, `node ${node.id} · ${node.agent} · ${node.public.status}${node.hidden ? ` / hidden ${node.hidden.status}` : ''}`),
    shape(node.agent, RADIUS + 4, { class: 'halo' }),
    shape(node.agent, RADIUS, { fill: node.correct ? color : 'var(--surface)', stroke: color, 'stroke-width': 2 }),
    svg('text', { class: 'inside', fill: node.correct ? 'var(--surface)' : color }, node.correct ? '✓' : scoreText(node.score)),
    svg('text', { class: 'below', y: RADIUS + 12 }, leaves > 15 || credit === undefined || credit === null ? `#${node.id}` : `#${node.id}  ${shortSigned(credit)}`));
  };
  const [rootX, rootY] = at(null);
  return svg('svg', { width, height, viewBox: `0 0 ${width} ${height}` },
    tree.nodes.map(edge),
    svg('rect', { class: 'root', x: rootX - 6, y: rootY - 6, width: 12, height: 12, rx: 3 }),
    tree.nodes.map(mark));
}

function shortSigned(value) {
  return (value < 0 ? '−' : '+') + Math.abs(value).toFixed(1);
}

function scoreText(score) {
  if (score === null) return '–';
  return score === 0 ? '0' : score === 1 ? '1' : score.toFixed(2).replace(/^0/, '');
}

function moveFocus(event, node, children, tree, onSelect) {
  const siblings = children.get(node.parent), position = siblings.indexOf(node.id);
  const next = {
    Enter: node.id, ' ': node.id, ArrowUp: node.parent, ArrowDown: children.get(node.id)[0],
    ArrowLeft: siblings[position - 1], ArrowRight: siblings[position + 1],
  }[event.key];
  if (next === undefined || next === null) return;
  event.preventDefault();
  onSelect(next);
}
