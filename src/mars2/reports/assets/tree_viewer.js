
// Choose a tree on the left, see it grow on the right, click a node. The choice is in the address: #tree=…&node=…

const anyTrees = () => RUN.trees.length > 0;

function treesSection() {
  if (!anyTrees()) return section('Trees', h('p', { class: 'note' }, 'No tree has been grown yet.'));
  const choice = { tree: null, node: null, phase: '', outcome: '', text: '' };
  const list = h('div', { class: 'tree-list' }), detail = h('div'), note = h('p', { class: 'note' });
  const phaseSelect = select('phase');
  const outcomeSelect = select('outcome', [['', 'any outcome'], ['solved', 'solved'], ['unsolved', 'not solved'], ['mixed', 'mixed']]);
  const follow = h('input', { type: 'checkbox', change: () => { if (follow.checked) goWithGrowth(); } });
  const filters = h('div', { class: 'filters' },
    IS_LIVE && h('label', { class: 'follow' }, follow, 'follow the trees that grow'),
    phaseSelect,
    h('div', { class: 'pair' }, outcomeSelect,
      h('input', { type: 'search', placeholder: 'problem or step', 'aria-label': 'problem or step', input: (e) => { choice.text = e.target.value; showList(); chooseFromList(); } })));

  function select(name, entries = []) {
    return h('select', { 'aria-label': name, change: (e) => { choice[name] = e.target.value; showList(); chooseFromList(); } }, entries.map(asOption));
  }

  function showNumbers() {
    const total = Object.values(RUN.tree_counts).reduce((a, b) => a + b, 0), left = total - RUN.trees.length;
    note.textContent = `${number(total)} ${total === 1 ? 'tree' : 'trees'}.` + (left > 0 ? ` The newest of each phase are here; ${number(left)} older ones are in run.sqlite only.` : '')
      + ' Filled: passes every test. Outlined: fails; the number is its score. Below: node and, once trained on, advantage.';
    patch(phaseSelect, [['', `all phases (${RUN.trees.length})`], ...phases()].map((entry) => [entry[0], entry[1], () => asOption(entry)]));
    phaseSelect.value = choice.phase;
  }

  function shownTrees() {
    const shown = RUN.trees.filter((tree) => matches(tree, choice));
    return IS_LIVE ? [...shown.filter((tree) => !tree.finished), ...shown.filter((tree) => tree.finished)] : shown;
  }

  function showList() {
    const entries = shownTrees().map((tree) => [tree.id, listKey(tree), () => listEntry(tree, () => choose(treeOf(tree.id) || tree, null, true))]);
    patch(list, entries.length ? entries : [['', '', () => h('p', { class: 'note' }, 'No tree fits.')]]);
    markCurrent();
  }

  function markCurrent() {
    for (const entry of list.children) if (entry.dataset.tree) entry.setAttribute('aria-current', entry.dataset.tree === choice.tree?.id);
  }

  function chooseFromList() {
    const shown = shownTrees();
    if (shown.length && !shown.includes(choice.tree)) choose(shown[0], null);
  }

  function choose(tree, node, byReader = false) {
    if (byReader) follow.checked = false;
    const changed = tree.id !== choice.tree?.id;
    choice.tree = tree;
    choice.node = node ?? bestNode(tree);
    showTree(changed);
    keepInView(detail.querySelector('.canvas'));
    if (changed) markCurrent();
    if (byReader && node !== null) remember(tree, choice.node);
  }

  function showTree(changed) {
    const focused = detail.contains(document.activeElement) && document.activeElement.hasAttribute('data-node');
    const before = detail.querySelector('.canvas'), scrolled = before && [before.scrollLeft, before.scrollTop];
    patch(detail, treeDetail(choice.tree, choice.node, (id) => choose(choice.tree, id, true)));
    if (!changed && scrolled) detail.querySelector('.canvas').scrollTo(...scrolled);
    if (!changed && focused) detail.querySelector('.node.selected')?.focus();
  }

  function showPhase(phase) {
    choice.phase = phaseSelect.value = phase;
    showList();
    list.querySelector('[aria-current="true"]')?.scrollIntoView({ block: 'nearest' });
  }

  function followAddress() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const tree = treeOf(wanted.get('tree'));
    if (!tree) return false;
    const node = wanted.get('node');
    choose(tree, tree.nodes[node] ? Number(node) : null);
    if (!matches(tree, choice)) showPhase(tree.phase);
    return true;
  }

  // The newest node of a tree that grows: of the one that is shown until it is finished, then of another.
  function goWithGrowth() {
    const growing = RUN.trees.filter((tree) => !tree.finished && matches(tree, choice));
    const tree = growing.find((t) => t.id === choice.tree.id) || growing.sort((a, b) => b.nodes.length - a.nodes.length)[0];
    if (tree) choose(tree, tree.nodes.length ? tree.nodes.length - 1 : null);
  }

  // New data: the list and the numbers change, the tree that is read grows, and nothing else moves.
  function update() {
    showNumbers();
    keepingPlace(list, list.children, showList);
    choice.tree = treeOf(choice.tree.id) || choice.tree; // one that is not among the newest any more stays in view
    if (!choice.tree.nodes[choice.node]) choice.node = bestNode(choice.tree);
    showTree(false);
    if (follow.checked) goWithGrowth();
  }

  const element = section('Trees', note, h('div', { class: 'viewer' }, h('div', null, filters, list), detail));
  element.update = update;
  showNumbers();
  const first = showpiece();
  choose(first, null);
  if (IS_LIVE) showList();
  else showPhase(first.phase); // the next phase of a run that goes on would stay unseen
  requestAnimationFrame(() => {
    if (followAddress()) element.scrollIntoView();
    keepInView(detail.querySelector('.canvas'));
  });
  window.addEventListener('hashchange', followAddress);
  return element;
}

function asOption([value, text]) {
  return h('option', { value }, text);
}

function treeOf(id) {
  return RUN.trees.find((tree) => tree.id === id);
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

function listKey(tree) {
  return JSON.stringify([tree.problem, tree.phase, tree.step, tree.finished, tree.solved, tree.nodes.map((node) => [node.agent, node.correct])]);
}

function listEntry(tree, onClick) {
  return h('button', { type: 'button', 'data-tree': tree.id, click: onClick, title: `${tree.phase}, step ${tree.step}, ${tree.solved ? 'solved' : tree.finished ? 'not solved' : 'not finished'}` },
    h('div', { class: 'top' }, h('span', null, tree.problem),
      h('span', { class: 'origin push' }, `${tree.phase.replace('evaluate/', '')} ${tree.step || ''}`),
      tree.solved ? h('span', { class: 'solved' }, '✓') : h('span', { class: 'muted' }, tree.finished ? '×' : '…')),
    h('div', { class: 'strip' }, tree.nodes.slice(0, 40).map((node) => {
      const cell = h('i', { color: colorOf('agent', node.agent) });
      if (node.correct) cell.style.background = 'currentColor';
      return cell;
    }), tree.nodes.length > 40 && h('span', { class: 'muted' }, `+${tree.nodes.length - 40}`)));
}

const SEEN_PROBLEMS = new Map(); // of the trees that were shown: a tree outlives its place among the newest

function treeDetail(tree, selected, onSelect) {
  const problem = RUN.problems[tree.problem] || SEEN_PROBLEMS.get(tree.problem);
  SEEN_PROBLEMS.clear();
  SEEN_PROBLEMS.set(tree.problem, problem);
  const node = tree.nodes[selected];
  const drawn = tree.nodes.map((n) => [n.id, n.parent, n.agent, n.correct, n.score, n.credit]);
  const facts = [`${tree.phase}, step ${tree.step}`, `${tree.nodes.length} nodes`,
    tree.cancelled ? `${tree.cancelled} cancelled` : '', tree.finished ? '' : 'still growing or interrupted'].filter(Boolean).join(' · ');
  return [
    ['head', JSON.stringify([tree.id, facts]), () => h('div', { class: 'tree-head' }, h('b', null, tree.problem), h('span', { class: 'muted' }, facts))],
    ['problem', JSON.stringify([tree.id, problem]), () => problem && folded('Problem', h('pre', null, problem.statement),
      problem.starter_code && [h('div', { class: 'role' }, 'starter code'), h('pre', { class: 'program' }, highlighted(problem.starter_code))])],
    ['canvas', JSON.stringify([tree.id, selected, drawn, RUN.agents]), () => h('div', { class: 'canvas' }, drawTree(tree, selected, onSelect))],
    ['node', JSON.stringify([tree.id, node, problem, RUN.agents]), () => (node ? nodeView(tree, node, problem) : h('p', { class: 'note' }, 'No node yet.'))],
  ];
}
