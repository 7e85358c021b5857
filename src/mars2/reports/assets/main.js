
// Puts the page together.

function pageHeader() {
  const root = document.documentElement;
  const paint = (theme) => { root.dataset.theme = theme; };
  if (!root.dataset.theme) paint(matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  const toggle = h('button', { type: 'button', class: 'theme push', click: () => paint(root.dataset.theme === 'dark' ? 'light' : 'dark') }, 'light / dark');
  return h('header', null,
    h('div', { class: 'line' }, h('h1', null, RUN.name), h('span', { class: 'state' }, RUN.state), h('span', { class: 'live', role: 'status' }), toggle),
    h('dl', { class: 'facts' }, RUN.facts.map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value)))),
    RUN.agents.length > 0 && h('div', { class: 'agents' }, RUN.agents.map(agentLabel)));
}

function alarmsSection() {
  if (!RUN.alarms.length) return null;
  return section('Alarms', null,
    h('ul', { class: 'alarms' }, RUN.alarms.map((alarm) => h('li', null, h('time', null, alarm.time), alarm.text))));
}

function configSection() {
  if (!RUN.config.length) return null;
  return h('section', null, h('details', null, h('summary', null, `Configuration (${RUN.config.length} keys)`),
    h('div', { class: 'config' }, RUN.config.map(([key, value]) => h('div', null, h('span', null, key), h('span', null, value))))));
}

const PAGE = document.body.appendChild(h('main'));

function drawPage() {
  const onlyTrees = RUN.trees.length > 0 && !RUN.evaluation && !RUN.comparison && !RUN.curves.length; // a problem that was solved, not a training run
  const key = (...parts) => JSON.stringify([RUN.agents, RUN.policies, RUN.agent_of_policy, ...parts]);
  const results = RUN.comparison ? comparisonSection : onlyTrees ? () => null : resultsSection;
  const withCharts = !onlyTrees && !(RUN.comparison && !RUN.curves.length);
  patch(PAGE, [
    ['header', key(RUN.name, RUN.state, RUN.facts), pageHeader],
    ['results', key(onlyTrees, RUN.comparison, RUN.evaluation), results],
    ['alarms', key(RUN.alarms), alarmsSection],
    ['charts', key(withCharts, RUN.curves.map((group) => group.kind)), () => withCharts && chartsSection()],
    ['trees', key(anyTrees()), treesSection],
    ['config', key(RUN.config), configSection],
  ]);
}

drawPage();
