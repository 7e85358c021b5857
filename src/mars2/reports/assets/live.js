
// A page that is served live asks every other second what has changed, and shows it without moving the reader.

const POLL_MS = 2000, QUIET_S = 300;

async function refresh() {
  try {
    const answer = await fetch('data.json', { headers: { 'If-None-Match': LIVE.etag }, cache: 'no-store' });
    if (answer.status === 503) throw new Error((await answer.json()).error);
    if (answer.status === 200) {
      LIVE.etag = answer.headers.get('ETag');
      RUN = await answer.json();
      keepingPlace(document.scrollingElement, PAGE.children, drawPage);
    } else if (answer.status !== 304) {
      throw new Error(`mars2 view answered ${answer.status}`);
    }
    LIVE.idle_s = Number(answer.headers.get('Mars2-Idle-Seconds'));
    LIVE.trouble = '';
  } catch (error) {
    LIVE.trouble = error instanceof TypeError ? 'mars2 view does not answer' : error.message;
  }
  showLiveness();
}

function showLiveness() {
  const badge = document.querySelector('header .live');
  const ago = (s) => (s < 90 ? `${Math.round(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`);
  const quiet = RUN.state === 'in progress' && LIVE.idle_s > QUIET_S;
  badge.textContent = LIVE.trouble ? `${LIVE.trouble}; trying again` : quiet ? `nothing written for ${ago(LIVE.idle_s)}: is it still running?`
    : RUN.state === 'in progress' ? `live, last written ${ago(LIVE.idle_s)} ago` : `last written ${ago(LIVE.idle_s)} ago`;
  badge.dataset.looks = LIVE.trouble || quiet ? 'trouble' : RUN.state === 'in progress' ? 'live' : 'over';
}

async function keepFresh() {
  if (!document.hidden) await refresh();
  setTimeout(keepFresh, POLL_MS);
}

if (IS_LIVE) {
  document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
  keepFresh();
}
