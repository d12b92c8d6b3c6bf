// The status page. It asks the operator for JSON and shows it; it changes nothing. Everything in the answers is inserted as text, never as HTML.
'use strict';

const $ = id => document.getElementById(id);

// visible escapes control characters, and those that would change the direction of the text.
const visible = text => text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, c => `\\u${c.codePointAt(0).toString(16).padStart(4, '0')}`);

// el creates an element. Children that are strings become text.
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(key, value);
  made.append(...children.filter(child => child !== undefined && child !== '').map(child => typeof child === 'string' ? visible(child) : child));
  return made;
}

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.map(child => typeof child === 'string' ? visible(child) : child));
  return made;
}

async function ask(path) {
  const answer = await fetch(path, { cache: 'no-store' });
  if (!answer.ok) throw Object.assign(new Error((await answer.text()).trim()), { status: answer.status });
  return answer.json();
}

// say tells users of screen readers what has changed.
const say = what => { $('said').textContent = visible(what); };

// ---- words ----

const layers = {
  context: 'the operator’s own settings', valuesYaml: 'the event’s valuesYaml', injected: 'what the operator adds: credentials and addresses',
  values: 'the event’s list of overrides', pinned: 'the count of replicas that runs',
};
const badges = { succeeded: 'succeeded', failed: 'failed', unreadable: 'failed', running: 'busy', waiting: 'waiting' };
const hasEnded = run => run.outcome !== 'running' && run.outcome !== 'waiting';

const seconds = s => s < 10 ? `${Math.max(0, s).toFixed(1)} s` : s < 120 ? `${Math.round(s)} s` : s < 7200 ? `${Math.round(s / 60)} min` : s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
const between = (a, b) => (new Date(b) - new Date(a)) / 1000;
// subject is the name that people use; the release's name consists of ids.
const subject = it => it.workload || it.release || it.pool || it.tenant || it.shortId || '';
const badge = (outcome, kind) => el('span', { class: `badge ${kind ?? badges[outcome] ?? ''}` }, outcome);

function clock(at) {
  const when = new Date(at), today = when.toDateString() === new Date().toDateString();
  return el('time', { datetime: at, title: at, class: 'number' }, today ? when.toLocaleTimeString() : when.toLocaleString());
}

let ahead = 0; // milliseconds by which this machine's clock is ahead of the operator's

// since shows how long something has lasted, and until how long it is until something begins. tick updates both.
const since = at => el('span', { 'data-since': at, class: 'number' }, lasts(at));
const until = at => el('span', { 'data-until': at, class: 'number' }, lacks(at));
const lasts = at => seconds(between(at, Date.now() - ahead)), lacks = at => between(Date.now() - ahead, at) <= 0 ? 'now' : `in ${seconds(between(Date.now() - ahead, at))}`;

function tick() {
  for (const span of document.querySelectorAll('[data-since]')) span.textContent = lasts(span.dataset.since);
  for (const span of document.querySelectorAll('[data-until]')) span.textContent = lacks(span.dataset.until);
}

// ---- lists that keep the focus ----

const shown = new WeakMap(); // node → what it shows, as JSON

// keep makes the container's children from items by make. The node of an unchanged item stays, with its focus.
function keep(container, items, key, make) {
  const before = new Map([...container.children].map(node => [node.dataset.key, node]));
  items.forEach((item, i) => {
    const text = JSON.stringify(item), id = String(key(item));
    let node = before.get(id);
    before.delete(id);
    if (!node || shown.get(node) !== text) {
      const fresh = make(item, node);
      fresh.dataset.key = id;
      shown.set(fresh, text);
      if (node && node !== fresh) {
        const focused = node.contains(document.activeElement);
        node.replaceWith(fresh);
        if (focused) fresh.querySelector('a, button, [tabindex]')?.focus();
      }
      node = fresh;
    }
    if (container.children[i] !== node) container.insertBefore(node, container.children[i] ?? null);
  });
  for (const node of before.values()) node.remove();
}

// table fills a container with a table, or with a sentence if there are no rows.
function table(container, none, heads, items, key, cells) {
  if (items.length === 0) return container.replaceChildren(el('p', { class: 'dim' }, none));
  let body = container.querySelector('tbody');
  if (!body) {
    body = el('tbody');
    container.replaceChildren(el('div', { class: 'wide' },
      el('table', {}, el('thead', {}, el('tr', {}, ...heads.map(head => el('th', { scope: 'col' }, head)))), body)));
  }
  keep(body, items, key, item => el('tr', {}, ...cells(item)));
}

// ---- the state, in the head of every page ----

let now = { work: [], pools: [] };

function showState() {
  const connection = !now.controller ? 'no controller is set' : `${now.connected ? 'connected to' : 'not connected to'} ${now.controller}` +
    (now.connected && now.generation ? `, generation ${now.generation}` : '');
  const leader = now.leads ? 'leads' : `stands by: ${now.leader || 'another operator, or nobody,'} leads`;
  keep($('state'), [now.version, leader, connection].map((text, i) => ({ i, text })), item => item.i, item => el('li', {}, item.text));
  showTrouble(now.trouble);
}

// setText sets a text only if it has changed: otherwise a screen reader would repeat it.
function setText(node, text) {
  text = visible(text ?? '');
  if (node.textContent !== text) node.textContent = text;
}

function showTrouble(text) {
  $('trouble').hidden = !text;
  setText($('trouble'), text);
}

// ---- the overview ----

const runLink = it => el('a', { href: `#/runs/${encodeURIComponent(it.id)}` }, subject(it), ...(it.release && it.workload ? [' ', el('small', {}, it.release)] : []));

function showOverview() {
  const running = now.work.filter(work => !work.wait), waiting = now.work.filter(work => work.wait);
  document.title = `${running.length} running, ${waiting.length} waiting – octo-operator`;
  keep($('running'), running.length ? running : [{ id: '' }], work => work.id, runningCard);
  table($('waiting'), 'Nothing waits.', ['Workload or pool', 'Event', 'Tenant', 'Waits for', 'Since', 'Next try'], waiting, work => work.id, work => [
    el('td', { class: 'who' }, runLink(work)), el('td', {}, work.callback ?? ''), el('td', {}, work.tenant ?? ''),
    el('td', { class: 'text' }, el('span', { class: 'badge waiting' }, work.wait), ' ', work.text || work.words),
    el('td', {}, since(work.since)), el('td', {}, ...(work.until ? [until(work.until)] : []))]);
  setText($('more-work'), now.moreWork ? `${now.moreWork} more events that have not ended are not shown.` : '');
  setText($('more-pools'), now.morePools ? `${now.morePools} more are not shown.` : '');
  table($('pools'), 'No pools.', ['Pool', 'Tenant', 'Registration', 'Resource'], now.pools, pool => `${pool.tenant}\n${pool.id}\n${pool.resource}`, pool => [
    el('td', {}, pool.id), el('td', {}, pool.tenant),
    el('td', { class: 'text' }, badge(pool.status, pool.status === 'Registered' ? 'succeeded' : pool.status.startsWith('Failed') ? 'failed' : 'waiting')),
    el('td', { class: 'dim' }, pool.resource ?? '')]);
}

function runningCard(work, before) {
  if (!work.id) return el('p', { class: 'dim' }, 'Nothing runs.');
  const lines = before?.querySelector('pre') ?? el('pre', { tabindex: '0', 'aria-label': `Newest output of ${subject(work)}` });
  return el('div', { class: 'card' },
    el('p', {}, runLink(work), el('span', {}, work.callback ?? ''), work.tenant ? el('span', { class: 'dim' }, `tenant ${work.tenant}`) : '',
      el('span', { class: 'badge busy' }, work.words), el('span', { class: 'dim' }, 'for ', since(work.since))), lines);
}

// showNewestLines shows the end of the output of the running events.
async function showNewestLines() {
  for (const card of [...$('running').children].slice(0, 8)) {
    if (!card.dataset.key) continue;
    const part = await ask(`api/runs/${encodeURIComponent(card.dataset.key)}/output`).catch(() => null);
    const lines = card.querySelector('pre');
    if (!part || !lines) continue;
    const text = part.text.trimEnd().split('\n').slice(-8);
    lines.hidden = !part.text;
    keep(lines, text.map((line, i) => ({ i, line })), item => item.i, item => outputLine(item.line));
    lines.scrollTop = lines.scrollHeight;
  }
}

let list = { runs: [], next: '', asked: 0 };

const askRuns = before => ask(`api/runs?${new URLSearchParams({ q: $('words').value, outcome: $('outcome').value, before })}`);

function showList(runs, next, total) {
  list = { ...list, runs, next: next ?? '' };
  $('count').textContent = next ? `${runs.length} shown, of ${total} runs` : `${runs.length} of ${total} runs`;
  $('older').hidden = !next;
  keep($('runs'), runs, run => run.id, runRow);
}

// showRuns asks for the first part of the list, or if more is true for the next one, and continues until there is something new to show.
async function showRuns(more = false) {
  const asked = ++list.asked, before = more ? list.runs : [];
  let next = more ? list.next : '', found = [], part;
  do {
    part = await askRuns(next);
    if (asked !== list.asked) return; // the filter was changed meanwhile
    found = [...found, ...part.runs];
    next = part.next;
    showList([...before, ...found], next, part.total);
  } while (next && found.length < 20);
}

// renewRuns shows what has changed at the top of the list. The parts below, which the user has asked for, stay.
async function renewRuns() {
  const asked = ++list.asked, part = await askRuns('');
  if (asked !== list.asked) return;
  const below = part.next ? list.runs.filter(run => run.id < part.next) : [];
  showList([...part.runs, ...below], below.length ? list.next : part.next, part.total);
}

const runRow = run => el('tr', {}, el('td', {}, badge(run.outcome)), el('td', {}, clock(run.came)),
  el('td', { class: 'number' }, hasEnded(run) ? seconds(run.seconds) : ''), el('td', {}, run.callback ?? ''), el('td', { class: 'who' }, runLink(run)),
  el('td', {}, run.tenant ?? ''), el('td', { class: 'text' }, el('span', { class: 'why' }, run.reason ?? '')));

// tellEnds announces which runs have ended since the last look, and updates the list.
async function tellEnds(before) {
  const still = new Set(now.work.map(work => work.id)), ended = before.filter(work => !still.has(work.id));
  const states = all => all.map(work => [work.id, work.phase, work.wait].join()).join('\n');
  if (states(before) === states(now.work)) return;
  await renewRuns();
  for (const work of ended) {
    const run = list.runs.find(run => run.id === work.id);
    if (run) say(`${subject(run)} ${run.outcome}`);
  }
}

// ---- the page of one run ----

let run = null, output = { from: -1, next: -1 };
let visit = 0; // number of pages opened so far: an answer for an earlier one is dropped
let opening = false;

async function openRun(id) {
  run = null;
  output = { from: -1, next: -1 };
  for (const part of ['output', 'values', 'moments', 'commands', 'picture', 'changes', 'event', 'facts', 'verdict']) $(part).replaceChildren();
  shown.delete($('picture'));
  opening = true;
  try {
    await refreshRun(id);
  } finally {
    opening = false;
  }
  if (run) show('run');
}

async function refreshRun(id) {
  const mine = visit;
  let newest;
  try {
    newest = await ask(`api/runs/${encodeURIComponent(id)}`);
  } catch (problem) {
    if (problem.status === undefined) throw problem;
    if (mine !== visit) return;
    run = null;
    setText($('gone-why'), problem.message);
    return show('gone');
  }
  if (mine !== visit) return;
  if (run && !hasEnded(run) && hasEnded(newest)) say(`${subject(newest)} ${newest.outcome}`);
  const valuesAreNew = newest.hasValues && (!run?.hasValues || hasEnded(run) !== hasEnded(newest));
  run = newest;
  showRun();
  $('values-part').hidden = !newest.hasValues;
  await showOutput();
  if (valuesAreNew && mine === visit) await showValues();
}

function showRun() {
  const title = `${run.callback ?? 'Run'}: ${subject(run)}`;
  document.title = `${run.outcome}, ${title}`;
  setText($('run').querySelector('h1'), title);
  showVerdict();
  const facts = [['Run', run.shortId], ['Tenant', run.tenant], ['Workload', run.workload], ['Release', run.release], ['Namespace', run.namespace], ['Pool', run.pool],
    ['Came', new Date(run.came).toLocaleString()], ['Took', hasEnded(run) ? seconds(run.seconds) : undefined], ['Exit code', run.result?.exitCode > 0 ? run.result.exitCode : undefined],
    ['Directory', run.dir], ['Damaged', run.damaged?.join('; ')]].filter(([, value]) => value !== undefined && value !== '');
  keep($('facts'), facts.flatMap(([name, value]) => [{ dt: name }, { dd: String(value), of: name }]), item => item.dt ?? `of ${item.of}`,
    item => item.dt ? el('dt', {}, item.dt) : el('dd', {}, item.dd));
  showTimeline();
  $('changes-part').hidden = !run.changes.text;
  keep($('changes'), numbered(run.changes.text.split('\n')), item => item.i, item => el('span', { class: diffClass(item.line) }, item.line + '\n'));
  setText($('event'), run.event);
}

const numbered = lines => lines.map((line, i) => ({ i, line }));
const diffClass = line => /^(\+\+\+|---|diff |@@)/.test(line) ? 'head' : line.startsWith('+') ? 'add' : line.startsWith('-') ? 'del' : '';

function showVerdict() {
  const work = run.now ?? {}, parts = [{ badge: run.outcome, since: work.since, until: work.until }];
  if (run.outcome === 'running') parts[0].badge = work.words ?? run.reason;
  const reason = run.outcome === 'running' ? '' : work.wait ? work.words : run.reason;
  if (reason) parts.push({ reason, mild: run.outcome === 'superseded' || run.outcome === 'waiting' });
  keep($('verdict'), parts, (part => part.badge ? 'badge' : 'reason'), part => {
    const made = part.badge ? el('span', {}, badge(part.badge, badges[run.outcome])) : el('p', { class: `reason${part.mild ? ' waits' : ''}` }, part.reason);
    if (part.since) made.append(' for ', since(part.since));
    if (part.until) made.append('; next try ', until(part.until));
    return made;
  });
}

const mostBars = 60, barHeight = 20, labelWidth = 262, pictureWidth = 900, durationWidth = 70;

function showTimeline() {
  const steps = run.timeline, all = steps.filter(step => ['phase', 'wait', 'script'].includes(step.kind)).slice(-mostBars);
  const end = Math.max(...all.map(ends)), begin = Math.min(...all.map(begins)), text = JSON.stringify(all);
  if (shown.get($('picture')) !== text) {
    shown.set($('picture'), text);
    $('picture').replaceChildren(all.length ? drawBars(all, begin, end)
      : el('p', { class: 'dim' }, 'There is no timeline: nothing has begun yet, or an older version has carried it out.'));
  }
  keep($('moments'), steps.map((step, i) => ({ ...step, i })), item => item.i, momentRow);
  const commands = steps.filter(step => step.kind === 'command');
  $('commands-part').hidden = commands.length === 0;
  keep($('commands'), numbered(commands.map(step => step.name)), item => item.i, item => commandItem(item.line));
}

const begins = step => new Date(step.time).getTime(), ends = step => begins(step) + step.seconds * 1000;

function drawBars(all, begin, end) {
  const height = all.length * barHeight + 24, length = Math.max(0.001, (end - begin) / 1000), width = pictureWidth - labelWidth - durationWidth;
  const x = at => labelWidth + Math.min(1, Math.max(0, (at - begin) / 1000 / length)) * width;
  const longest = all.reduce((a, b) => a.seconds < b.seconds ? b : a);
  const drawn = svg('svg', { viewBox: `0 0 ${pictureWidth} ${height}`, role: 'img',
    'aria-label': `${all.length} steps in ${seconds(length)}; the longest is ${longest.words}, ${seconds(longest.seconds)}. The list below has all.` });
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const at = labelWidth + part * width;
    drawn.append(svg('line', { x1: at, x2: at, y1: 0, y2: height - 18 }),
      svg('text', { x: at, y: height - 4, 'text-anchor': 'middle', class: 'dim' }, part === 0 ? '0' : seconds(part * length)));
  }
  all.forEach((bar, i) => {
    const y = i * barHeight, thin = bar.kind === 'script' ? 4 : 0, label = bar.words;
    const group = svg('g', {}, svg('title', {}, `${label}${bar.text ? `: ${bar.text}` : ''}, ${seconds(bar.seconds)}`),
      svg('text', { x: bar.kind === 'script' ? 16 : 4, y: y + 14, class: bar.kind === 'script' ? 'dim' : '' }, label.length > 41 ? `${label.slice(0, 40)}…` : label),
      svg('rect', { x: x(begins(bar)), y: y + 3 + thin, width: Math.max(2, x(ends(bar)) - x(begins(bar))), height: barHeight - 6 - 2 * thin, rx: 2, class: bar.kind }),
      svg('text', { x: Math.max(x(begins(bar)) + 2, x(ends(bar))) + 5, y: y + 14, class: 'dim' }, seconds(bar.seconds)));
    drawn.append(group);
  });
  return drawn;
}

function momentRow(m) {
  const detail = [m.text, m.exitCode === undefined ? '' : `exit code ${m.exitCode}`, m.cpu ? `processor ${seconds(m.cpu)}` : '',
    m.memory ? `memory ${Math.round(m.memory / 1048576)} MiB` : '', m.until ? `next try ${new Date(m.until).toLocaleTimeString()}` : ''].filter(Boolean).join('; ');
  return el('tr', {}, el('td', {}, clock(m.time)), el('td', { class: 'text' }, m.kind === 'command' ? el('code', {}, m.name) : m.words),
    el('td', { class: 'number' }, m.seconds ? seconds(m.seconds) : ''), el('td', { class: 'text' }, detail));
}

function commandItem(line) {
  const button = el('button', { type: 'button', 'aria-label': `Copy ${line.slice(0, 60)}` }, 'Copy');
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(line);
    button.textContent = 'Copied';
    say('copied');
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
  return el('li', {}, el('div', {}, el('code', {}, line), button));
}

// ---- output ----

// outputLine is a line of output.log: its time, its stream, its text.
function outputLine(line) {
  const parts = line.match(/^(\d\d:\d\d:\d\d\.\d\d\d) (\S+) (.*)$/);
  return parts ? el('span', { class: parts[2] === 'stderr' ? 'err' : '' }, el('span', { class: 'at' }, `${parts[1]} `), parts[3] + '\n') : el('span', {}, line + '\n');
}

const lines = text => text === '' ? [] : text.replace(/\n$/, '').split('\n').map(outputLine);
const mostLines = 20000;

async function showOutput() {
  const pre = $('output'), id = run.id, mine = visit;
  let part;
  do {
    part = await ask(`api/runs/${encodeURIComponent(id)}/output${output.next < 0 ? '' : `?from=${output.next}`}`);
    if (mine !== visit) return;
    if (output.next < 0) output.from = part.from;
    output.next = part.next;
    pre.append(...lines(part.text));
    while (pre.childElementCount > mostLines) pre.firstElementChild.remove();
    if (part.text && !hasEnded(run) && $('follow').checked) pre.scrollTop = pre.scrollHeight;
  } while (part.text && part.next < part.size);
  $('earlier').hidden = output.from <= 0;
  $('follow-part').hidden = hasEnded(run);
  if (part.size === 0 && hasEnded(run) && pre.childElementCount === 0) pre.textContent = 'There is none.';
}

async function showEarlier() {
  const id = run.id, mine = visit, from = Math.max(0, output.from - 100000), before = $('output').scrollHeight;
  let part = await ask(`api/runs/${encodeURIComponent(id)}/output?from=${from}`), text = new TextEncoder().encode(part.text);
  if (mine !== visit) return;
  text = new TextDecoder().decode(text.slice(0, output.from - from));
  const cut = from === 0 ? 0 : text.indexOf('\n') + 1; // skips the rest of the line in which from is
  $('output').prepend(...lines(text.slice(cut)));
  output.from = from + new TextEncoder().encode(text.slice(0, cut)).length;
  $('output').scrollTop += $('output').scrollHeight - before;
  $('earlier').hidden = output.from <= 0;
  if ($('earlier').hidden) $('output').focus();
}

// ---- values ----

async function showValues() {
  const id = run.id, mine = visit;
  $('values-state').textContent = '';
  let answer;
  try {
    answer = await ask(`api/runs/${encodeURIComponent(id)}/values`);
  } catch (problem) {
    setText($('values-state'), problem.message);
    return;
  }
  if (mine !== visit) return;
  keep($('values'), answer.values, value => value.path, value => el('tr', {}, el('td', {}, el('code', {}, value.path)), el('td', {}, el('code', {}, value.value), value.warning ? el('div', { class: 'warning' }, value.warning) : ''),
    el('td', {}, value.layer ? el('span', { class: 'layer', tabindex: '0', 'data-tip': valueTip(value) }, value.layer) : '')));
  if (answer.more) $('values-state').textContent = `${answer.more} more are not shown.`;
}

const valueTip = value => [`${value.layer}: ${layers[value.layer] ?? 'a layer of the values'}`, value.type && `type: ${value.type}`, ...(value.notes ?? [])].filter(Boolean).join('\n');

// The tip is shown at the element that it belongs to, and describes that element for screen readers too.
function showTip(event) {
  const of = event.target.closest?.('[data-tip]'), tip = $('tip');
  document.querySelector('[aria-describedby=tip]')?.removeAttribute('aria-describedby');
  tip.hidden = !of;
  if (!of) return;
  setText(tip, of.dataset.tip);
  of.setAttribute('aria-describedby', 'tip');
  const at = of.getBoundingClientRect();
  tip.style.top = `${Math.min(at.bottom + 4, innerHeight - tip.offsetHeight - 4)}px`;
  tip.style.left = `${Math.max(4, Math.min(at.left, innerWidth - tip.offsetWidth - 8))}px`;
}

// ---- which page is shown ----

const parts = ['overview', 'run', 'gone'];

function show(part) {
  const isNew = $(part).hidden;
  for (const other of parts) $(other).hidden = other !== part;
  if (isNew && opened) $(part).querySelector('h1').focus(); // where users of the keyboard or a screen reader continue
  if (isNew) scrollTo(0, 0);
}

let opened = false;
const wanted = () => location.hash.match(/^#\/runs\/([\w.-]+)$/)?.[1] ?? ''; // without a valid id it is the overview

async function navigate() {
  visit++;
  showTip({ target: document.body });
  if (wanted()) {
    await openRun(wanted());
  } else {
    run = null;
    showOverview();
    show('overview');
    await showRuns();
  }
  opened = true;
}

const pause = 1500; // milliseconds between two looks

async function look() {
  const before = now.work;
  now = await ask('api/now');
  ahead = Date.now() - new Date(now.time);
  showState();
  if (wanted()) {
    if (run && !hasEnded(run) && !opening) await refreshRun(run.id);
  } else {
    showOverview();
    await showNewestLines();
    if (opened) await tellEnds(before);
  }
}

async function watch() {
  for (let first = true; ; first = false) {
    try {
      if (!document.hidden || first) {
        await look();
        if (!opened) await navigate();
      }
    } catch (problem) {
      showTrouble(`The operator does not answer: ${problem.message}. Is kubectl port-forward still running?`);
    }
    await new Promise(resume => setTimeout(resume, pause));
  }
}

// tried shows the problem if an action fails.
const tried = work => (...given) => Promise.resolve(work(...given)).catch(problem => showTrouble(`The operator does not answer: ${problem.message}`));

let typing;
$('words').addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(tried(() => showRuns()), 200); });
$('outcome').addEventListener('change', tried(() => showRuns()));
$('filter').addEventListener('submit', event => event.preventDefault());
$('older').addEventListener('click', tried(() => showRuns(true)));
$('earlier').addEventListener('click', tried(showEarlier));
let dismissed = null; // the element whose tip was closed by Escape: scrolling does not show it again
document.addEventListener('mouseover', showTip);
document.addEventListener('focusin', event => { dismissed = null; showTip(event); });
document.addEventListener('scroll', () => { // the focused element may have been scrolled into view
  if (document.activeElement !== dismissed) showTip({ target: document.activeElement });
}, true);
document.addEventListener('keydown', event => {
  if (event.key !== 'Escape') return;
  dismissed = document.activeElement;
  showTip({ target: document.body });
});
document.querySelector('.skip').addEventListener('click', event => { event.preventDefault(); $('main').focus(); });
addEventListener('hashchange', tried(navigate));
setInterval(tick, 1000);
watch();
