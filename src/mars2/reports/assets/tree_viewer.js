
// Choose a tree on the left, see it grow on the right, click a node. The choice is in the address: #tree=…&node=…

function treesSection() {
  const total = Object.values(RUN.tree_counts).reduce((a, b) => a + b, 0);
  if (!total) return section('Trees', h('p', { class: 'note' }, 'No tree has been grown yet.'));
  const left = total - RUN.trees.length;
  const note = `${number(total)} ${total === 1 ? 'tree' : 'trees'}.` + (left > 0 ? ` The newest of each phase are here; ${number(left)} older ones are in run.sqlite only.` : '')
    + ' Filled: passes every test. Outlined: fails; the number is its score. Below: node and, once trained on, advantage.';
  const choice = { tree: null, node: null, phase: '', outcome: '', text: '' };
  const list = h('div', { class: 'tree-list' }), detail = h('div');
  const filters = h('div', { class: 'filters' },
    select('phase', [['', `all phases (${RUN.trees.length})`], ...phases()]),
    h('div', { class: 'pair' },
      select('outcome', [['', 'any outcome'], ['solved', 'solved'], ['unsolved', 'not solved'], ['mixed', 'mixed']]),
      h('input', { type: 'search', placeholder: 'problem or step', 'aria-label': 'problem or step', input: (e) => { choice.text = e.target.value; showList(); } })));

  function select(name, entries) {
    return h('select', { 'aria-label': name, change: (e) => { choice[name] = e.target.value; showList(); } },
      entries.map(([value, text]) => h('option', { value }, text)));
  }

  function showList() {
    const shown = RUN.trees.filter((tree) => matches(tree, choice));
    list.replaceChildren(...shown.map((tree) => listEntry(tree, tree === choice.tree, () => choose(tree, null))));
    if (!shown.length) list.append(h('p', { class: 'note' }, 'No tree fits.'));
    if (shown.length && !shown.includes(choice.tree)) choose(shown[0], null);
  }

  function choose(tree, node) {
    const changed = tree !== choice.tree;
    choice.tree = tree;
    choice.node = node ?? bestNode(tree);
    const focused = detail.contains(document.activeElement) && document.activeElement.hasAttribute('data-node');
    const before = detail.querySelector('.canvas'), scrolled = before && [before.scrollLeft, before.scrollTop];
    detail.replaceChildren(...treeDetail(tree, choice.node, (id) => { choose(tree, id); remember(tree, id); }));
    const canvas = detail.querySelector('.canvas');
    if (!changed && scrolled) canvas.scrollTo(...scrolled);
    keepInView(canvas);
    if (!changed && focused) detail.querySelector('.node.selected')?.focus();
    if (changed) {
      for (const entry of list.children) entry.setAttribute('aria-current', entry.dataset.tree === tree.id);
      if (node !== null) remember(tree, choice.node);
    }
  }

  function showPhase(phase) {
    choice.phase = filters.querySelector('select').value = phase;
    showList();
    list.querySelector('[aria-current="true"]')?.scrollIntoView({ block: 'nearest' });
  }

  function followAddress() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const tree = RUN.trees.find((t) => t.id === wanted.get('tree'));
    if (!tree) return false;
    const node = wanted.get('node');
    choose(tree, tree.nodes[node] ? Number(node) : null);
    if (!matches(tree, choice)) showPhase(tree.phase);
    return true;
  }

  const element = section('Trees', h('p', { class: 'note' }, note),
    h('div', { class: 'viewer' }, h('div', null, filters, list), detail));
  const first = showpiece();
  if (first) {
    choose(first, null);
    showPhase(first.phase);
  } else {
    showList();
  }
  requestAnimationFrame(() => {
    if (followAddress()) element.scrollIntoView();
    keepInView(detail.querySelector('.canvas'));
  });
  window.addEventListener('hashchange', followAddress);
  return element;
}

// Scrolls a tree that is larger than its frame, and only the frame, to the selected node.
function keepInView(canvas) {
  const node = canvas?.querySelector('.node.selected');
  if (!node) return;
  const frame = canvas.getBoundingClientRect(), box = node.getBoundingClientRect();
  if (box.left < frame.left || box.right > frame.right) canvas.scrollLeft += (box.left + box.right - frame.left - frame.right) / 2;
  if (box.top < frame.top || box.bottom > frame.bottom) canvas.scrollTop += (box.top + box.bottom - frame.top - frame.bottom) / 2;
}

function remember(tree, node) {
  history.replaceState(null, '', `#${new URLSearchParams({ tree: tree.id, node })}`);
}

function phases() {
  const shown = {};
  RUN.trees.forEach((tree) => { shown[tree.phase] = (shown[tree.phase] || 0) + 1; });
  return Object.entries(shown).map(([phase, count]) => [phase,
    `${phase} (${count === RUN.tree_counts[phase] ? count : `${count} of ${number(RUN.tree_counts[phase])}`})`]);
}

function matches(tree, { phase, outcome, text }) {
  const mixed = tree.solved && tree.nodes.some((node) => !node.correct);
  return (!phase || tree.phase === phase)
    && (!outcome || { solved: tree.solved, unsolved: !tree.solved, mixed }[outcome])
    && (!text || `${tree.problem}\nstep ${tree.step}\n${tree.step}`.toLowerCase().includes(text.toLowerCase()));
}

// A tree that shows what search does: solved on the way down, by several agents, if there is one.
function showpiece() {
  const worth = (tree) => {
    const solved = tree.nodes.filter((node) => node.correct), deepest = Math.max(0, ...solved.map((node) => node.depth));
    const agents = new Set(tree.nodes.map((node) => node.agent)).size;
    const credited = tree.nodes.some((node) => node.credit.advantage !== undefined);
    return (credited ? 3 : 0) + (solved.length && solved.length < tree.nodes.length ? 10 : 0) + Math.min(deepest, 4) * 3 + agents * 2 + Math.min(tree.nodes.length, 12) / 4;
  };
  return RUN.trees.reduce((best, tree) => (!best || worth(tree) > worth(best) ? tree : best), undefined);
}

function bestNode(tree) {
  const better = (a, b) => (a.correct - b.correct) || ((a.score || 0) - (b.score || 0));
  const best = tree.nodes.reduce((found, node) => (!found || better(node, found) > 0 ? node : found), undefined);
  return best ? best.id : null;
}

function listEntry(tree, current, onClick) {
  return h('button', { type: 'button', 'data-tree': tree.id, 'aria-current': current, click: onClick, title: `${tree.phase}, step ${tree.step}, ${tree.solved ? 'solved' : tree.finished ? 'not solved' : 'not finished'}` },
    h('div', { class: 'top' }, h('span', null, tree.problem),
      h('span', { class: 'origin push' }, `${tree.phase.replace('evaluate/', '')} ${tree.step || ''}`),
      tree.solved ? h('span', { class: 'solved' }, '✓') : h('span', { class: 'muted' }, tree.finished ? '×' : '…')),
    h('div', { class: 'strip' }, tree.nodes.slice(0, 40).map((node) => {
      const cell = h('i', { color: colorOf('agent', node.agent) });
      if (node.correct) cell.style.background = 'currentColor';
      return cell;
    }), tree.nodes.length > 40 && h('span', { class: 'muted' }, `+${tree.nodes.length - 40}`)));
}

function treeDetail(tree, selected, onSelect) {
  const problem = RUN.problems[tree.problem];
  const canvas = h('div', { class: 'canvas' }, drawTree(tree, selected, onSelect));
  return [
    h('div', { class: 'tree-head' }, h('b', null, tree.problem),
      h('span', { class: 'muted' }, [`${tree.phase}, step ${tree.step}`, `${tree.nodes.length} nodes`,
        tree.cancelled ? `${tree.cancelled} cancelled` : '', tree.finished ? '' : 'still growing or interrupted'].filter(Boolean).join(' · '))),
    problem && folded('Problem', h('pre', null, problem.statement), problem.starter_code && [h('div', { class: 'role' }, 'starter code'), h('pre', { class: 'program' }, highlighted(problem.starter_code))]),
    canvas,
    selected === null ? h('p', { class: 'note' }, 'No node yet.') : nodeView(tree, tree.nodes[selected]),
  ].filter(Boolean);
}
