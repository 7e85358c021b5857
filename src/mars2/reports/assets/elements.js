
// Small helpers. Text from the run only ever becomes text nodes and attributes, never markup.

let RUN = JSON.parse(document.getElementById('run-data').textContent);
const LIVE = { etag: document.getElementById('run-data').dataset.etag, idle_s: 0, trouble: '' };
const IS_LIVE = LIVE.etag !== undefined; // served by `mars2 view`, not opened as a file
const SVG_NS = 'http://www.w3.org/2000/svg';

function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG_NS, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (name === 'color') element.style.color = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

// Puts parts, each [name, key, make], into a container in this order. A part whose key is as before keeps its element,
// and with it what the reader has scrolled, selected and unfolded there; the element's `update`, if it has one, is called.
function patch(container, parts) {
  const former = container.parts || new Map();
  container.parts = new Map();
  for (const [name, key, make] of parts) {
    const old = former.get(name);
    if (!old || old.key !== key) container.parts.set(name, { key, element: make() || null });
    else container.parts.set(name, old);
    if (old && old.key === key) old.element?.update?.();
  }
  former.forEach((old, name) => { if (container.parts.get(name) !== old) old.element?.remove(); });
  let at = container.firstChild;
  container.parts.forEach(({ element }) => {
    if (!element) return;
    if (element === at) at = at.nextSibling;
    else container.insertBefore(element, at);
  });
}

// Does something that may change heights, and scrolls so that the first of the children in view stays where it was.
// At the very top the reader stays there.
function keepingPlace(scroller, children, work) {
  const top = scroller === document.scrollingElement ? 0 : scroller.getBoundingClientRect().top;
  const anchor = scroller.scrollTop > 0 && [...children].find((child) => child.getBoundingClientRect().bottom > top + 1);
  const offset = anchor && anchor.getBoundingClientRect().top;
  const scrolled = scroller.scrollTop;
  work();
  if (anchor && anchor.isConnected) scroller.scrollTop += anchor.getBoundingClientRect().top - offset;
  else if (scroller.scrollTop !== scrolled) scroller.scrollTop = scrolled;
}

function section(title, note, ...children) {
  return h('section', null, h('div', { class: 'section-head' }, h('h2', null, title), note), ...children);
}

function number(value) {
  if (value === null || value === undefined) return '–';
  if (value < 0) return `−${number(-value)}`;
  if (Number.isInteger(value) && value < 1e6) return value.toLocaleString('en');
  if (value >= 1e6 || value < 1e-3) return value.toExponential(2);
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(value >= 100 ? 1 : value >= 10 ? 2 : 3);
}

function signed(value) {
  return value === null || value === undefined ? '–' : (value < 0 ? '' : '+') + number(value);
}

// One colour, dash and shape per agent, by its place in RUN.agents; a policy of a single agent shares its looks.

const DASHES = ['', '6 3', '2 3', '8 3 2 3'];

function place(kind, owner) {
  if (kind === 'run') return 6;
  const agent = kind === 'policy' ? RUN.agent_of_policy[owner] : owner;
  const found = RUN.agents.indexOf(agent);
  return found >= 0 ? found : RUN.agents.length + Math.max(0, RUN.policies.indexOf(owner));
}

function colorOf(kind, owner) {
  return `var(--c${place(kind, owner) % 8})`;
}

function dashOf(kind, owner) {
  return kind === 'run' ? '' : DASHES[place(kind, owner) % DASHES.length];
}

function shape(agent, size, attributes) {
  const s = size;
  switch (RUN.agents.indexOf(agent) % 4) {
    case 1: return svg('rect', { x: -s * 0.9, y: -s * 0.9, width: s * 1.8, height: s * 1.8, rx: s * 0.3, ...attributes });
    case 2: return svg('path', { d: `M0 ${-s * 1.2}L${s * 1.2} 0L0 ${s * 1.2}L${-s * 1.2} 0Z`, ...attributes });
    case 3: return svg('path', { d: `M${-s * 1.15} 0L${-s * 0.57} ${-s}H${s * 0.57}L${s * 1.15} 0L${s * 0.57} ${s}H${-s * 0.57}Z`, ...attributes });
    default: return svg('circle', { r: s, ...attributes });
  }
}

function agentLabel(agent) {
  const mark = shape(agent, 5, { fill: colorOf('agent', agent) });
  return h('span', { class: 'agent' }, svg('svg', { width: 14, height: 14, viewBox: '-7 -7 14 14', 'aria-hidden': true }, mark), agent);
}
