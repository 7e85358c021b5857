
// Everything known about one node: who wrote it, what it was asked, what it wrote, what the tests said, what it earned.

function nodeView(tree, node, problem) {
  const from = node.parent === null ? 'first attempt' : `refines node ${node.parent}`;
  return h('div', { class: 'node-view' },
    h('div', { class: 'node-head' },
      h('b', null, `Node ${node.id}`), agentLabel(node.agent), h('span', { class: 'muted' }, `${from}, depth ${node.depth}`),
      verdictChip('public', node.public), node.hidden && verdictChip('hidden', node.hidden)),
    numbers(node),
    h('h3', null, 'Program'),
    node.program === null ? h('p', { class: 'note' }, 'No program was found in the answer.') : h('pre', { class: 'program' }, highlighted(node.program)),
    node.program_reason && h('p', { class: 'note' }, `Taken from the answer: ${node.program_reason}.`),
    testsTable(node, problem || { public: [], hidden: [] }),
    h('div', { class: 'block' },
      node.answer.trim() !== (node.program || '').trim() && folded('Whole answer', h('pre', null, node.answer)),
      node.prompt.length > 0 && folded('Prompt', node.prompt.map(([role, content]) => [h('div', { class: 'role' }, role), h('pre', null, content)]))));
}

const OPEN = new Set(); // what is unfolded stays so from node to node

function folded(title, ...children) {
  const remember = (event) => (event.target.open ? OPEN.add(title) : OPEN.delete(title));
  return h('details', { open: OPEN.has(title), toggle: remember }, h('summary', null, title), ...children);
}

function verdictChip(kind, verdict) {
  const count = verdict.total ? ` ${verdict.passed}/${verdict.total}` : '';
  return h('span', { class: `chip ${looksOf(verdict.status)}`, title: STATUS_WORDS[verdict.status] }, `${kind} ${verdict.status}${count}`);
}

function looksOf(status) {
  return status === 'AC' ? 'pass' : status === 'SKIPPED' ? 'skip' : 'fail';
}

const STATUS_WORDS = {
  AC: 'accepted', WA: 'wrong answer', TLE: 'time limit', MLE: 'memory limit', RE: 'runtime error',
  CE: 'no program, or it does not compile', OLE: 'output limit', SKIPPED: 'not run: an earlier test had failed', IE: "the judge's own fault",
};

function numbers(node) {
  const { shaped, advantage, ...others } = node.credit;
  const shown = [
    ['score', number(node.score)],
    ['reward', number(node.reward)],
    ['shaped', shaped === undefined ? null : number(shaped)],
    ['advantage', advantage === undefined ? null : signed(advantage)],
    ...Object.entries(others).map(([name, value]) => [name, number(value)]),
    ['output tokens', number(node.output_tokens) + (node.finish === 'length' ? ' (cut off)' : '')],
    ['prompt tokens', number(node.prompt_tokens)],
    ['mean log-prob', node.mean_logprob === null ? null : number(node.mean_logprob)],
    ['policy', `${node.policy} v${node.version}`],
    ['cost', node.cost ? number(node.cost) : null],
  ].filter(([, value]) => value !== null);
  return h('dl', { class: 'numbers' }, shown.map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value))));
}

function testsTable(node, problem) {
  const rows = [];
  for (const kind of ['public', 'hidden']) {
    const verdict = node[kind];
    if (!verdict) continue;
    verdict.tests.forEach((result) => rows.push(testRow(kind, result, problem[kind][result.index] || {})));
    const missing = verdict.total - verdict.tests.length;
    if (missing > 0) rows.push(h('tr', null, h('td', { colspan: 7, class: 'muted' }, `${missing} more ${kind} tests are not shown`)));
  }
  if (!rows.length) return null;
  const head = [['number', '#'], ['kind', 'tests'], ['verdict', 'verdict'], ['', 'input'], ['', 'expected'], ['', 'got'], ['time wide-only', 'CPU']];
  return h('div', { class: 'block' }, h('h3', null, 'Tests'), h('table', { class: 'tests' },
    h('thead', null, h('tr', null, head.map(([looks, text]) => h('th', { class: looks }, text)))), h('tbody', null, rows)));
}

function testRow(kind, result, test) {
  const clip = (text) => h('td', { class: 'text' }, h('div', { class: 'clip' }, text));
  const ended = [result.signal ? `signal ${result.signal}` : '', result.exit_code ? `exit code ${result.exit_code}` : ''].filter(Boolean).join(', ');
  const got = [result.actual, result.error, result.traceback, ended, result.stderr ? `stderr: ${result.stderr}` : ''].filter(Boolean).join('\n');
  return h('tr', null,
    h('td', { class: 'muted' }, result.index + 1),
    h('td', { class: 'muted' }, kind),
    h('td', null, h('span', { class: `status ${looksOf(result.status)}`, title: STATUS_WORDS[result.status] }, result.status)),
    clip(test.input ?? ''), clip(test.expected ?? ''), clip(got),
    h('td', { class: 'muted wide-only', title: result.peak_mib ? `peak ${number(result.peak_mib)} MiB` : null },
      result.cpu_s ? `${Math.round(result.cpu_s * 1000)} ms` : ''));
}

const PYTHON_TOKEN = new RegExp([
  /(?<c>#[^\n]*)/, /(?<s>[rbfuRBFU]{0,2}(?:'''[\s\S]*?(?:'''|$)|"""[\s\S]*?(?:"""|$)|'(?:\\.|[^'\\\n])*'?|"(?:\\.|[^"\\\n])*"?))/,
  /(?<k>\b(?:and|as|assert|async|await|break|case|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|match|nonlocal|not|or|pass|raise|return|try|while|with|yield)\b)/,
  /(?<n>\b(?:True|False|None|\d[\w.]*)\b)/, /[A-Za-z_]\w*/,
].map((part) => part.source).join('|'), 'g');

function highlighted(source) {
  const parts = [];
  let done = 0;
  for (const match of source.matchAll(PYTHON_TOKEN)) {
    const kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined);
    if (!kind) continue;
    parts.push(source.slice(done, match.index), h('span', { class: kind }, match[0]));
    done = match.index + match[0].length;
  }
  parts.push(source.slice(done));
  return parts;
}
